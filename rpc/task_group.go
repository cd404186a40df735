package rpc

import "sync"

// tasks are goroutines that a Close waits for.
type taskGroup struct {
	mu     sync.Mutex
	count  int
	closed bool
	idle   chan struct{} // closed when there is none left; nil while nothing waits
}

// do runs f on a worker.
func (t *taskGroup) start(w *workerPool, f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		w.runFunc(f) // what it works on is closed, and it ends by that
		return
	}
	t.count++
	w.runFunc(func() {
		defer t.done()
		f()
	})
}

func (t *taskGroup) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count--; t.count == 0 && t.idle != nil {
		close(t.idle)
	}
}

// wait waits until all that was begun has ended. What begins later is not waited for.
func (t *taskGroup) wait() {
	t.mu.Lock()
	t.closed = true
	if t.idle == nil {
		t.idle = make(chan struct{})
		if t.count == 0 {
			close(t.idle)
		}
	}
	idle := t.idle
	t.mu.Unlock()
	<-idle
}
