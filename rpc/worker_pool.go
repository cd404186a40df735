package rpc

import (
	"sync"
	"time"
)

// workerPool runs jobs, such as handlers, each on a goroutine of its own, and
// reuses the goroutines with the stacks they have grown. With 64 small calls in
// flight that saves a sixth of the CPU time (docs/design/rpc.md).
//
// Goroutines take jobs from one queue. One at a time is about to do so, and
// starts the next before it runs its own job: a burst of jobs wakes no more
// goroutines than the processors can run, as one that has finished a short job
// takes the next. No job waits for another to end.
type workerPool struct {
	mu       sync.Mutex
	queue    jobQueue
	starting bool            // a goroutine is about to take a job
	idle     []chan struct{} // of goroutines; newest last, so that few stay in use
	spare    []chan struct{} // of goroutines that run jobs, for those that will be idle
	minIdle  int             // the fewest idle goroutines since the timer was started
	timer    *time.Timer     // ends surplus goroutines; nil: never started
	timing   bool            // timer runs
	closed   bool
}

const (
	keptIdle     = 128         // idle goroutines that are kept for any time
	maxIdle      = 4096        // idle goroutines at most
	surplusAfter = time.Second // how long idle goroutines beyond keptIdle wait
)

// run runs j on a goroutine of its own and does not wait for it.
func (w *workerPool) run(j job) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue.push(j)
	w.startNext()
}

// runFunc is run for a function.
func (w *workerPool) runFunc(f func()) { w.run(jobFunc(f)) }

// startNext starts a goroutine for the first job of the queue, unless one is
// about to take it; mu is held.
func (w *workerPool) startNext() {
	if w.starting || w.queue.empty() {
		return
	}
	w.starting = true
	n := len(w.idle)
	if n == 0 {
		go w.work()
		return
	}
	next := w.idle[n-1]
	w.idle = w.idle[:n-1]
	w.minIdle = min(w.minIdle, n-1)
	next <- struct{}{}
}

// work runs jobs until the pool does not keep the goroutine.
func (w *workerPool) work() {
	w.mu.Lock()
	for {
		w.starting = false
		w.runQueued()
		wake := w.offer()
		w.mu.Unlock()
		if wake == nil {
			return
		}
		if _, ok := <-wake; !ok {
			return
		}
		w.mu.Lock()
		w.spare = append(w.spare, wake) // a job may be long, and needs none
	}
}

// runQueued runs jobs until the queue is empty. mu is held, but not while a job
// runs.
func (w *workerPool) runQueued() {
	for !w.queue.empty() {
		j := w.queue.pop()
		w.startNext()
		w.mu.Unlock()
		j.work()
		w.mu.Lock()
	}
}

// offer adds a goroutine to the idle ones, and returns what wakes it: a value,
// or close if it is to end. It returns nil if the goroutine is to end now. mu is
// held.
func (w *workerPool) offer() (wake chan struct{}) {
	if w.closed || len(w.idle) >= maxIdle {
		return nil
	}
	if n := len(w.spare); n > 0 {
		wake, w.spare = w.spare[n-1], w.spare[:n-1]
	} else {
		wake = make(chan struct{}, 1)
	}
	w.idle = append(w.idle, wake)
	if len(w.idle) > keptIdle && !w.timing {
		w.watchSurplus()
	}
	return wake
}

// watchSurplus schedules endSurplus; mu is held.
func (w *workerPool) watchSurplus() {
	w.timing, w.minIdle = true, len(w.idle)
	if w.timer == nil {
		w.timer = time.AfterFunc(surplusAfter, w.endSurplus)
		return
	}
	w.timer.Reset(surplusAfter)
}

// endSurplus ends goroutines beyond keptIdle that were idle all the time since
// watchSurplus.
func (w *workerPool) endSurplus() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timing, w.spare = false, nil
	n := min(w.minIdle, len(w.idle)-keptIdle)
	if w.closed || n < 0 {
		return
	}
	for _, next := range w.idle[:n] {
		close(next)
	}
	kept := copy(w.idle, w.idle[n:])
	clear(w.idle[kept:])
	w.idle = w.idle[:kept]
	if kept > keptIdle {
		w.watchSurplus()
	}
}

// close ends the idle goroutines, and the others when their jobs are done.
func (w *workerPool) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for _, next := range w.idle {
		close(next)
	}
	w.idle, w.spare = nil, nil
	if w.timer != nil {
		w.timer.Stop()
	}
}
