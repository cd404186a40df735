package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"
)

// memory is the memory in use.
type memory struct {
	goroutines int
	heap       int64 // bytes, after garbage collection
}

func (m memory) String() string {
	return fmt.Sprintf("%d goroutines, %d KiB of heap", m.goroutines, m.heap>>10)
}

// settleTimeout bounds how long goroutines may take to end.
const settleTimeout = 10 * time.Second

// measure measures the memory once at most so many goroutines are left, or
// after a timeout.
func measure(ctx context.Context, wanted int) memory {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	last, since := runtime.NumGoroutine(), time.Now()
	for began := time.Now(); ctx.Err() == nil && time.Since(began) < settleTimeout; {
		<-tick.C
		if n := runtime.NumGoroutine(); n != last {
			last, since = n, time.Now()
		}
		if time.Since(since) > time.Second && (wanted == 0 || last <= wanted) {
			break
		}
	}
	for range 3 { // the second collection frees what pools hold
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return memory{runtime.NumGoroutine(), int64(m.HeapAlloc)}
}

// stacks returns the stacks of the goroutines.
func stacks() string {
	var s strings.Builder
	_ = pprof.Lookup("goroutine").WriteTo(&s, 1) // a strings.Builder returns no error
	return s.String()
}
