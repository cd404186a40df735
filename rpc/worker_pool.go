package rpc

import (
	"sync"
	"time"
)

// workers runs handlers, each on a goroutine of its own. The goroutines are used
// again, with the stacks that they have grown: with 64 small calls in flight that
// saves a sixth of the CPU time (docs/design/rpc.md).
type workers struct {
	mu     sync.Mutex
	idle   []chan job  // newest last, so that few stay warm
	fewest int         // that were idle at once since surplus was looked for
	look   *time.Timer // for surplus; nil: there has been none
	timed  bool        // look runs
	closed bool
}

// job is what a worker does.
type job interface{ work() }

// function is a function that is a job.
type function func()

func (f function) work() { f() }

const (
	maxIdle  = 128         // goroutines that wait for work however long
	mostIdle = 4096        // that wait at the most
	surplus  = time.Second // for how long those beyond maxIdle wait that are not needed
)

// run has j done on a goroutine of its own and does not wait for it.
func (w *workers) run(j job) {
	w.mu.Lock()
	if n := len(w.idle); n > 0 {
		next := w.idle[n-1]
		w.idle = w.idle[:n-1]
		w.fewest = min(w.fewest, n-1)
		w.mu.Unlock()
		next <- j
		return
	}
	w.mu.Unlock()
	go w.work(j)
}

// do is run for a function.
func (w *workers) do(f func()) { w.run(function(f)) }

// work does j and then what it is given, until there is no use for it.
func (w *workers) work(j job) {
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
func (w *workers) offer(next chan job) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || len(w.idle) >= mostIdle {
		return false
	}
	w.idle = append(w.idle, next)
	if len(w.idle) > maxIdle && !w.timed {
		w.watchSurplus()
	}
	return true
}

// watchSurplus has surplus looked for after a while; mu is held.
func (w *workers) watchSurplus() {
	w.timed, w.fewest = true, len(w.idle)
	if w.look == nil {
		w.look = time.AfterFunc(surplus, w.endSurplus)
		return
	}
	w.look.Reset(surplus)
}

// endSurplus ends goroutines beyond maxIdle that were not needed since surplus was
// looked for.
func (w *workers) endSurplus() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timed = false
	n := min(w.fewest, len(w.idle)-maxIdle)
	if w.closed || n < 0 {
		return
	}
	for _, next := range w.idle[:n] {
		close(next)
	}
	kept := copy(w.idle, w.idle[n:])
	clear(w.idle[kept:])
	w.idle = w.idle[:kept]
	if kept > maxIdle {
		w.watchSurplus()
	}
}

// close ends the idle goroutines, and the others when they have done their work.
func (w *workers) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for _, next := range w.idle {
		close(next)
	}
	w.idle = nil
	if w.look != nil {
		w.look.Stop()
	}
}
