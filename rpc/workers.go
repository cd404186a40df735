package rpc

import "sync"

// workers runs handlers, each on a goroutine of its own. The goroutines are used
// again, with the stacks that they have grown: with 64 small calls in flight that
// saves a sixth of the CPU time (docs/design/rpc.md).
type workers struct {
	mu     sync.Mutex
	idle   []chan job // newest last, so that few stay warm
	closed bool
}

// job is what a worker does.
type job interface{ work() }

// function is a function that is a job.
type function func()

func (f function) work() { f() }

// maxIdle is how many goroutines wait for work at the most.
const maxIdle = 128

// run has j done on a goroutine of its own and does not wait for it.
func (w *workers) run(j job) {
	w.mu.Lock()
	if n := len(w.idle); n > 0 {
		next := w.idle[n-1]
		w.idle = w.idle[:n-1]
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
	if w.closed || len(w.idle) >= maxIdle {
		return false
	}
	w.idle = append(w.idle, next)
	return true
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
}
