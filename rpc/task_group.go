package rpc

import "sync"

// taskGroup is a group of goroutines that Close waits for.
type taskGroup struct {
	mu     sync.Mutex
	count  int
	closed bool
	idle   chan struct{} // closed when none is left; nil: no goroutine waits
}

// start runs f on a worker.
func (t *taskGroup) start(w *workerPool, f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		w.runFunc(f) // its connection or client is closed, so it ends soon
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

// wait waits for the goroutines that were started before. It does not wait for
// later ones.
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
