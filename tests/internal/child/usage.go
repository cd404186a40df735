package child

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// Usage is the resources that a process uses.
type Usage struct {
	Resident int64         // bytes of memory
	CPU      time.Duration // since its start
}

// Usage asks the kernel about the process.
func (p *Process) Usage() (Usage, error) { return UsageOf(p.PID()) }

// tick is the unit of CPU times: USER_HZ, which is 100 for every program on
// Linux.
const tick = 10 * time.Millisecond

// UsageOf asks the kernel about any process (proc(5)).
func UsageOf(pid int) (Usage, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Usage{}, err
	}
	_, rest, _ := bytes.Cut(stat, []byte(") ")) // after the name, which may contain blanks
	fields := bytes.Fields(rest)
	if len(fields) < 22 {
		return Usage{}, fmt.Errorf("stat of process %d: %q", pid, stat)
	}
	var numbers [3]int64
	for i, at := range []int{11, 12, 21} { // utime, stime, rss: fields 14, 15 and 24 of proc(5)
		if numbers[i], err = strconv.ParseInt(string(fields[at]), 10, 64); err != nil {
			return Usage{}, err
		}
	}
	return Usage{
		Resident: numbers[2] * int64(os.Getpagesize()),
		CPU:      time.Duration(numbers[0]+numbers[1]) * tick,
	}, nil
}
