package natsbus

import (
	"context"
	"slices"

	"github.com/nats-io/nats.go"

	"github.com/parley-rpc/parley/ext/cluster"
)

// watcher is a function of OnChange.
type watcher struct{ changed func(cluster.BusChange) }

// OnChange implements cluster.Bus.
func (b *Bus) OnChange(f func(cluster.BusChange)) (stop func()) {
	w := &watcher{f}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watchers = append(slices.Clip(b.watchers), w)
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.watchers = slices.DeleteFunc(slices.Clone(b.watchers), func(other *watcher) bool { return other == w })
	}
}

// tell calls the functions of OnChange.
func (b *Bus) tell(change cluster.BusChange) {
	b.mu.Lock()
	watchers := b.watchers
	b.mu.Unlock()
	for _, w := range watchers {
		w.changed(change)
	}
}

// watchStatus follows the connection until it or the bus is closed.
func (b *Bus) watchStatus() {
	for {
		select {
		case <-b.done:
			return
		case status, ok := <-b.statuses:
			if !ok {
				return // by Close
			}
			b.handleStatus(status)
		}
	}
}

// handleStatus tells what a status of the connection means to the bus. Even if
// the status before was missed, a connection that is new may have missed
// messages.
func (b *Bus) handleStatus(status nats.Status) {
	if status == nats.CONNECTED {
		// nats.go subscribes again after it is connected, and before it answers
		// a flush.
		if b.nc.FlushTimeout(flushTimeout) != nil && !b.nc.IsConnected() {
			return // another status follows
		}
		if !b.setAvailable() {
			return
		}
		b.tell(cluster.BusChange{Available: true, Lost: true})
		return
	}
	wasAvailable := b.available.Swap(false)
	b.mu.Lock()
	b.disconnect()
	b.mu.Unlock()
	b.requests.fail()
	if wasAvailable {
		b.tell(cluster.BusChange{})
	}
	if status == nats.CLOSED {
		b.nc.RemoveStatusListener(b.statuses)
		b.stop()
	}
}

// setAvailable makes the bus available after a connection is made, unless it is
// closed.
func (b *Bus) setAvailable() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.disconnect()
	b.connected, b.disconnect = context.WithCancel(context.Background())
	b.available.Store(true)
	return true
}
