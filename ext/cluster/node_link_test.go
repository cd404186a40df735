package cluster_test

import (
	"context"
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/parley-rpc/parley/ext/cluster"
)

// link is what joins one node to a bus. Tests cut it, and make it lose messages.
type link struct {
	*cluster.MemoryBus

	mu            sync.Mutex
	cut           context.Context // has ended while the link is cut
	sever         context.CancelFunc
	lose          func(data string) bool // makes what the node publishes get lost
	subscriptions int
	watchers      []func(cluster.BusChange)
}

func newLink(bus *cluster.MemoryBus) *link {
	l := &link{MemoryBus: bus}
	l.cut, l.sever = context.WithCancel(context.Background())
	return l
}

// setAvailable cuts the link, or repairs it.
func (l *link) setAvailable(c cluster.BusChange) {
	l.mu.Lock()
	if l.sever(); c.Available {
		l.cut, l.sever = context.WithCancel(context.Background())
	}
	l.mu.Unlock()
	l.tell(c)
}

func (l *link) tell(c cluster.BusChange) {
	l.mu.Lock()
	watchers := slices.Clone(l.watchers)
	l.mu.Unlock()
	for _, f := range watchers {
		f(c)
	}
}

// loseIf makes messages get lost that contain a text; an empty one ends that.
func (l *link) loseIf(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lose = func(data string) bool { return text != "" && strings.Contains(data, text) }
}

func (l *link) state() (cut context.Context, lose func(string) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cut, l.lose
}

func (l *link) Available() bool {
	cut, _ := l.state()
	return cut.Err() == nil
}

func (l *link) Publish(subject string, data []byte) error {
	switch cut, lose := l.state(); {
	case cut.Err() != nil:
		return cluster.ErrBusUnavailable
	case lose != nil && lose(string(data)):
		return nil
	}
	return l.MemoryBus.Publish(subject, data)
}

func (l *link) Subscribe(subject string, receive func(cluster.BusMessage)) (cluster.BusSubscription, error) {
	sub, err := l.MemoryBus.Subscribe(subject, func(m cluster.BusMessage) {
		if l.Available() {
			receive(m)
		}
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.subscriptions++
	return linkSubscription{sub, l}, err
}

// linkSubscription counts itself.
type linkSubscription struct {
	cluster.BusSubscription
	l *link
}

func (s linkSubscription) Close() error {
	s.l.mu.Lock()
	s.l.subscriptions--
	s.l.mu.Unlock()
	return s.BusSubscription.Close()
}

func (l *link) open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.subscriptions
}

func (l *link) OnChange(f func(cluster.BusChange)) (stop func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watchers = append(l.watchers, f)
	return func() {}
}

func (l *link) Append(ctx context.Context, subject string, limits cluster.LogLimits, data []byte) (uint64, error) {
	if !l.Available() {
		return 0, cluster.ErrBusUnavailable
	}
	return l.MemoryBus.Append(ctx, subject, limits, data)
}

func (l *link) Last(ctx context.Context, subject string, limits cluster.LogLimits) (uint64, error) {
	if !l.Available() {
		return 0, cluster.ErrBusUnavailable
	}
	return l.MemoryBus.Last(ctx, subject, limits)
}

func (l *link) Read(ctx context.Context, subject string, limits cluster.LogLimits, after uint64) iter.Seq2[cluster.LogEntry, error] {
	return func(yield func(cluster.LogEntry, error) bool) {
		cut, _ := l.state()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(cut, cancel)()
		for e, err := range l.MemoryBus.Read(ctx, subject, limits, after) {
			if cut.Err() != nil {
				e, err = cluster.LogEntry{}, cluster.ErrBusUnavailable
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}
