package cluster

import "sync"

// linkGroup waits for the goroutines of links that are being accepted or passed
// on.
type linkGroup struct {
	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

// start starts a goroutine. It reports false after close.
func (g *linkGroup) start(f func()) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.wg.Go(f)
	return true
}

// close waits for the goroutines. None starts any more.
func (g *linkGroup) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.wg.Wait()
}
