package drive

import (
	"context"
	"errors"
	"sync"
	"time"

	benchv1 "github.com/parley-rpc/parley/bench/gen/bench/v1"
	"github.com/parley-rpc/parley/bench/internal/proc"
	"github.com/parley-rpc/parley/bench/internal/service"
)

// idleConns measures the server's memory per connection that has made a call
// and is idle.
type idleConns struct {
	conns int
}

func (idleConns) metrics() []Metric { return []Metric{Resident, HeapStacks} }

func (w idleConns) run(ctx context.Context, b *Bench) (Figures, error) {
	return b.withClient(ctx, func(Client) (Figures, error) { // everything that is allocated once exists
		n := b.count(w.conns)
		return memoryOf(ctx, b, n, func() (release func() error, err error) {
			clients, err := dialMany(ctx, b, n)
			return func() error { return closeAll(clients) }, err
		})
	})
}

// idleStreams measures the server's memory per idle bidirectional stream on
// which a message was sent each way. All streams are on one connection, if the
// target can do that.
type idleStreams struct {
	streams int
}

func (idleStreams) metrics() []Metric { return []Metric{Resident, HeapStacks} }

func (w idleStreams) run(ctx context.Context, b *Bench) (Figures, error) {
	return b.withClient(ctx, func(c Client) (Figures, error) {
		n := b.count(w.streams)
		return memoryOf(ctx, b, n, func() (release func() error, err error) {
			return openMany(ctx, c, n)
		})
	})
}

// rest is how long what was opened is left alone before it counts as idle. A
// framework may keep memory for the next message until a timer has fired.
const rest = time.Second

// memoryOf returns by how much the server's memory grows for each of the n
// things that open opens.
func memoryOf(ctx context.Context, b *Bench, n int, open func() (release func() error, err error)) (Figures, error) {
	before, err := settled(ctx, b)
	if err != nil {
		return nil, err
	}
	release, err := open()
	if err != nil {
		return nil, errors.Join(err, release())
	}
	if err := Pause(ctx, rest); err != nil {
		return nil, errors.Join(err, release())
	}
	after, err := settled(ctx, b)
	each := func(now, then int64) float64 { return float64(now-then) / float64(n) / 1024 }
	return Figures{
		Resident.Name:   each(after.Resident, before.Resident),
		HeapStacks.Name: each(after.Heap+after.Stacks, before.Heap+before.Stacks),
	}, errors.Join(err, release())
}

// settled measures the server's memory once it no longer shrinks.
func settled(ctx context.Context, b *Bench) (proc.Usage, error) {
	const (
		looks    = 6
		interval = 100 * time.Millisecond
	)
	last, err := b.Server.Look(proc.Memory)
	for range looks {
		if err != nil {
			break
		}
		if err = Pause(ctx, interval); err != nil {
			break
		}
		now, failed := b.Server.Look(proc.Memory)
		shrunk := now.Resident < last.Resident-last.Resident/200
		last, err = now, failed
		if !shrunk {
			break
		}
	}
	return last, err
}

// atOnce is how many connections or streams are opened at the same time.
const atOnce = 32

// inParallel calls f with each of 0 to n-1, and returns all errors.
func inParallel(n int, f func(i int) error) error {
	var (
		running sync.WaitGroup
		mu      sync.Mutex
		errs    []error
	)
	for from := range min(n, atOnce) {
		running.Go(func() {
			for i := from; i < n; i += atOnce {
				if err := f(i); err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
					return
				}
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// dialMany returns n clients, each of which has made a call.
func dialMany(ctx context.Context, b *Bench, n int) ([]Client, error) {
	clients := make([]Client, n)
	err := inParallel(n, func(i int) (err error) {
		clients[i], err = b.dial(ctx)
		return err
	})
	return clients, err
}

func closeAll(clients []Client) error {
	return inParallel(len(clients), func(i int) error {
		if clients[i] == nil {
			return nil // it was not made
		}
		return clients[i].Close()
	})
}

// openMany opens n streams and sends a message each way on each. release ends
// them.
func openMany(ctx context.Context, c Client, n int) (release func() error, err error) {
	ctx, cancel := context.WithCancel(ctx)
	req := &benchv1.TalkRequest{Payload: service.Payload(smallSize)}
	err = inParallel(n, func(int) error {
		t, err := c.Talk(ctx)
		if err != nil {
			return err
		}
		return exchange(t, req)
	})
	return func() error { cancel(); return nil }, err
}
