package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"
)

// Usage is what a process has used since its start, and what it holds. Depth
// selects the fields.
type Usage struct {
	CPU       time.Duration // of user and system
	Wire      int64         // bytes that its connections have carried, if they are counted
	Mallocs   uint64        // objects allocated
	Allocated uint64        // bytes allocated
	Resident  int64         // bytes of memory that are resident
	Heap      int64         // bytes of spans in use
	Stacks    int64         // bytes
}

// Depth is how thoroughly a process is measured.
type Depth string

const (
	// Quick fills in CPU and Wire.
	Quick Depth = "quick"
	// Allocations also fills in Mallocs and Allocated.
	Allocations Depth = "allocations"
	// Memory collects garbage, returns free memory to the system, and fills in
	// everything.
	Memory Depth = "memory"
)

// Look measures this process.
func Look(depth Depth) (u Usage, err error) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return u, err
	}
	u.CPU = time.Duration(r.Utime.Nano() + r.Stime.Nano())
	if depth == Quick {
		return u, nil
	}
	if depth == Memory {
		for range 4 { // a stack shrinks by half each time; pools are empty after two
			runtime.GC()
		}
		debug.FreeOSMemory()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u.Mallocs, u.Allocated = m.Mallocs, m.TotalAlloc
	u.Heap, u.Stacks = int64(m.HeapInuse), int64(m.StackInuse)
	if depth == Memory {
		u.Resident, err = resident()
	}
	return u, err
}

var errStatm = errors.New("proc: cannot read statm")

func resident() (int64, error) {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(statm)
	if len(fields) < 2 {
		return 0, errStatm
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errStatm, err)
	}
	return pages * int64(os.Getpagesize()), nil
}
