package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"
)

// memory is what is in use.
type memory struct {
	goroutines int
	heap       int64 // bytes, after garbage collection
}

func (m memory) String() string {
	return fmt.Sprintf("%d goroutines, %d KiB of heap", m.goroutines, m.heap>>10)
}

// patience is how long goroutines may take to end that were told to.
const patience = 10 * time.Second

// measure measures the memory when no more goroutines are left than wanted, or
// after a timeout.
func measure(ctx context.Context, wanted int) memory {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	last, since := runtime.NumGoroutine(), time.Now()
	for began := time.Now(); ctx.Err() == nil && time.Since(began) < patience; {
		<-tick.C
		if n := runtime.NumGoroutine(); n != last {
			last, since = n, time.Now()
		}
		if time.Since(since) > time.Second && (wanted == 0 || last <= wanted) {
			break
		}
	}
	for range 3 { // what pools hold goes with the second
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return memory{runtime.NumGoroutine(), int64(m.HeapAlloc)}
}

// stacks returns the stacks of the goroutines.
func stacks() string {
	var s strings.Builder
	_ = pprof.Lookup("goroutine").WriteTo(&s, 1) // a builder takes all
	return s.String()
}
