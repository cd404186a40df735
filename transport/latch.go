package transport

import "sync"

// latch is something that happens once. It has a channel only if something
// waits for it: mostly nothing does, and a session has several.
type latch struct {
	mu  sync.Mutex
	set bool
	c   chan struct{} // closed when set is true; nil until something waits
}

// trip says that it happens. It may have happened before.
func (l *latch) trip() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.set {
		return
	}
	l.set = true
	if l.c != nil {
		close(l.c)
	}
}

// tripped reports whether it has happened.
func (l *latch) tripped() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.set
}

// done returns a channel that is closed when the latch has tripped.
func (l *latch) done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.c == nil {
		l.c = make(chan struct{})
		if l.set {
			close(l.c)
		}
	}
	return l.c
}
