package drive

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// worker repeats a step. finish, which may be nil, ends and verifies the work.
type worker struct {
	step   func() error
	finish func() error
}

// crew is workers that run at the same time.
type crew struct {
	cancel    context.CancelCauseFunc // called with errors
	running   sync.WaitGroup
	stopped   atomic.Bool
	recording atomic.Bool
	members   []*member
}

// member counts its own steps, on a cache line of its own.
type member struct {
	worker
	steps     atomic.Int64
	latencies []time.Duration // of the steps, while the crew records
	_         [64]byte
}

// start starts all workers.
func (c *crew) start() {
	for _, m := range c.members {
		c.running.Go(func() {
			if err := c.work(m); err != nil {
				c.cancel(err)
			}
		})
	}
}

func (c *crew) work(m *member) error {
	for !c.stopped.Load() {
		if err := c.do(m); err != nil {
			return err
		}
		m.steps.Add(1)
	}
	if m.finish == nil {
		return nil
	}
	return m.finish()
}

// do does one step, and records its latency if asked to.
func (c *crew) do(m *member) error {
	if !c.recording.Load() {
		return m.step()
	}
	began := time.Now()
	err := m.step()
	m.latencies = append(m.latencies, time.Since(began))
	return err
}

// steps returns how many steps all workers have done.
func (c *crew) steps() (n int64) {
	for _, m := range c.members {
		n += m.steps.Load()
	}
	return n
}

// proceed lets the workers work for a time, and for at least one more step.
func (c *crew) proceed(ctx context.Context, d time.Duration) error {
	before := c.steps()
	err := Pause(ctx, d)
	for err == nil && c.steps() == before {
		err = Pause(ctx, time.Millisecond)
	}
	return err
}

// stop lets the workers finish their current step, and waits for them.
func (c *crew) stop() {
	c.stopped.Store(true)
	c.running.Wait()
}

// latencies stops the crew and returns the recorded latencies.
func (c *crew) latencies() (all []time.Duration) {
	c.stop()
	for _, m := range c.members {
		all = append(all, m.latencies...)
	}
	return all
}
