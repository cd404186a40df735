package drive

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// worker does the same step again and again. finish, which may be nil, ends what it
// has begun and verifies it.
type worker struct {
	step   func() error
	finish func() error
}

// crew is workers that run at once.
type crew struct {
	cancel    context.CancelCauseFunc
	running   sync.WaitGroup
	stopped   atomic.Bool
	recording atomic.Bool
	members   []*member
}

// member counts its steps by itself, apart from what others write to.
type member struct {
	worker
	steps     atomic.Int64
	latencies []time.Duration // of the steps while the crew was recording
	_         [64]byte
}

// start puts workers to work. The first error ends ctx, with it as the cause; cancel
// is what ctx was made with.
func start(cancel context.CancelCauseFunc, workers []worker) *crew {
	c := &crew{cancel: cancel}
	for _, w := range workers {
		c.members = append(c.members, &member{worker: w})
	}
	for _, m := range c.members {
		c.running.Go(func() { c.work(m) })
	}
	return c
}

func (c *crew) work(m *member) {
	for !c.stopped.Load() {
		if err := c.do(m); err != nil {
			c.cancel(err)
			return
		}
		m.steps.Add(1)
	}
	if m.finish == nil {
		return
	}
	if err := m.finish(); err != nil {
		c.cancel(err)
	}
}

// do does one step, and records how long it takes if that is wanted.
func (c *crew) do(m *member) error {
	if !c.recording.Load() {
		return m.step()
	}
	began := time.Now()
	err := m.step()
	m.latencies = append(m.latencies, time.Since(began))
	return err
}

// steps is how many steps all have done.
func (c *crew) steps() (n int64) {
	for _, m := range c.members {
		n += m.steps.Load()
	}
	return n
}

// stop lets the workers end their present step, and waits for them.
func (c *crew) stop() {
	c.stopped.Store(true)
	c.running.Wait()
}

// latencies are those of all workers. They must have stopped.
func (c *crew) latencies() (all []time.Duration) {
	for _, m := range c.members {
		all = append(all, m.latencies...)
	}
	return all
}
