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

// poolsSettle is the time after which a collection frees what pools of large
// buffers did not need since the last one (package internal/pool). Two such
// collections leave nothing.
const poolsSettle = 1100 * time.Millisecond

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
	for range 3 {
		runtime.GC()
		wait(ctx, poolsSettle)
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return memory{runtime.NumGoroutine(), int64(m.HeapAlloc)}
}

// wait waits for a time, or until ctx is done.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// stacks returns the stacks of the goroutines.
func stacks() string {
	var s strings.Builder
	_ = pprof.Lookup("goroutine").WriteTo(&s, 1) // a strings.Builder returns no error
	return s.String()
}
