package rpc

import (
	"sync"
	"time"
)

// workers runs handlers, each on a goroutine of its own. The goroutines are used
// again, with the stacks that they have grown: with 64 small calls in flight that
// saves a sixth of the CPU time (docs/design/rpc.md).
type workerPool struct {
	mu      sync.Mutex
	idle    []chan job  // newest last, so that few stay warm
	minIdle int         // that were idle at once since surplus was looked for
	timer   *time.Timer // for surplus; nil: there has been none
	timing  bool        // look runs
	closed  bool
}

// job is what a worker does.
type job interface{ work() }

// function is a function that is a job.
type jobFunc func()

func (f jobFunc) work() { f() }

const (
	keptIdle     = 128         // goroutines that wait for work however long
	maxIdle      = 4096        // that wait at the most
	surplusAfter = time.Second // for how long those beyond maxIdle wait that are not needed
)

// run has j done on a goroutine of its own and does not wait for it.
func (w *workerPool) run(j job) {
	w.mu.Lock()
	if n := len(w.idle); n > 0 {
		next := w.idle[n-1]
		w.idle = w.idle[:n-1]
		w.minIdle = min(w.minIdle, n-1)
		w.mu.Unlock()
		next <- j
		return
	}
	w.mu.Unlock()
	go w.work(j)
}

// do is run for a function.
func (w *workerPool) runFunc(f func()) { w.run(jobFunc(f)) }

// work does j and then what it is given, until there is no use for it.
func (w *workerPool) work(j job) {
	var next chan job
	for j != nil {
		j.work()
		if next == nil {
			next = make(chan job, 1)
		}
		if !w.offer(next) {
			return
		}
		j = <-next
	}
}

// offer puts a goroutine among the idle ones, unless it is to end.
func (w *workerPool) offer(next chan job) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || len(w.idle) >= maxIdle {
		return false
	}
	w.idle = append(w.idle, next)
	if len(w.idle) > keptIdle && !w.timing {
		w.watchSurplus()
	}
	return true
}

// watchSurplus has surplus looked for after a while; mu is held.
func (w *workerPool) watchSurplus() {
	w.timing, w.minIdle = true, len(w.idle)
	if w.timer == nil {
		w.timer = time.AfterFunc(surplusAfter, w.endSurplus)
		return
	}
	w.timer.Reset(surplusAfter)
}

// endSurplus ends goroutines beyond maxIdle that were not needed since surplus was
// looked for.
func (w *workerPool) endSurplus() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timing = false
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

// close ends the idle goroutines, and the others when they have done their work.
func (w *workerPool) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for _, next := range w.idle {
		close(next)
	}
	w.idle = nil
	if w.timer != nil {
		w.timer.Stop()
	}
}
