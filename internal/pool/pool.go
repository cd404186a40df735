// Package pool keeps large buffers for reuse, beyond cycles of the garbage
// collector.
//
// A sync.Pool loses what is not used within two cycles. While large messages
// flow through a small heap, cycles are milliseconds apart, and so buffers would
// be allocated, cleared and collected again all the time (docs/design/speed.md).
package pool

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// maxKept is how many bytes all pools of a process keep. Beyond that they keep
// what a sync.Pool keeps.
const maxKept = 16 << 20

// kept is how many bytes all pools keep.
var kept atomic.Int64

// interval is how long a value that is not needed stays at least. It goes with
// the first cycle of the garbage collector after that, which is within two
// minutes in an idle process.
const interval = time.Second

// Pool keeps values of one size. Several goroutines may use it at once.
type Pool[T any] struct {
	size int64 // bytes of a value

	mu      sync.Mutex
	free    []*T // the last one is used first: its memory is the warmest
	unused  int  // the least length of free since trimmed
	trimmed time.Time
	watches bool // trim follows the next cycle of the garbage collector

	more sync.Pool // of *T, beyond maxKept
}

// New returns a pool of values of a number of bytes.
func New[T any](size int) *Pool[T] { return &Pool[T]{size: int64(size)} }

// Get returns a value, or nil if there is none.
func (p *Pool[T]) Get() *T {
	p.mu.Lock()
	if last := len(p.free) - 1; last >= 0 {
		v := p.free[last]
		p.free[last] = nil
		p.free = p.free[:last]
		p.unused = min(p.unused, last)
		p.mu.Unlock()
		kept.Add(-p.size)
		return v
	}
	p.mu.Unlock()
	v, _ := p.more.Get().(*T)
	return v
}

// Put keeps a value that is not used any more.
func (p *Pool[T]) Put(v *T) {
	if kept.Add(p.size) > maxKept {
		kept.Add(-p.size)
		p.more.Put(v)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, v)
	if !p.watches {
		p.watches = true
		p.trimmed = time.Now()
		p.unused = 0
		p.watch()
	}
}

// watch makes trim follow the next cycle of the garbage collector.
func (p *Pool[T]) watch() {
	garbage := new([16]byte) // smaller objects share memory, which may live longer
	runtime.AddCleanup(garbage, func(p *Pool[T]) { p.trim(time.Now()) }, p)
}

// trim drops the values that were not needed since the last time, unless that
// was less than the interval ago.
func (p *Pool[T]) trim(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.trimmed) >= interval {
		kept.Add(-int64(p.unused) * p.size)
		rest := copy(p.free, p.free[p.unused:])
		clear(p.free[rest:])
		p.free = p.free[:rest]
		p.unused, p.trimmed = rest, now
	}
	if p.watches = len(p.free) > 0; p.watches {
		p.watch()
	}
}
