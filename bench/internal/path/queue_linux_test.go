package path_test

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/parley-rpc/parley/bench/internal/path"
	"github.com/parley-rpc/parley/bench/internal/stat"
)

// classic selects the congestion control that all Linux machines have. Others
// take more memory for what waits to be sent.
func classic(t *testing.T, c net.Conn) {
	t.Helper()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = syscall.SetsockoptString(int(fd), syscall.IPPROTO_TCP, syscall.TCP_CONGESTION, "reno")
	})
	if err := errors.Join(err, failed); err != nil {
		t.Fatal(err)
	}
}

func TestFullQueueStopsTheSender(t *testing.T) {
	p := path.Path{RoundTrip: 100 * time.Millisecond, Up: 50 * path.Megabit, Down: 50 * path.Megabit}
	x := through(t, p, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	c := dial(t, x)
	classic(t, c)
	var written atomic.Int64
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for buf := make([]byte, 4<<10); ; {
			n, err := c.Write(buf)
			written.Add(int64(n))
			if err != nil {
				return
			}
		}
	}()
	var kernel, onTheWay []int64
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for i := range 100 {
		<-ticker.C
		if i < 30 {
			continue // the path is not full yet
		}
		up := x.Counts().Up
		kernel = append(kernel, written.Load()-up.Entered)
		onTheWay = append(onTheWay, up.Entered-up.Delivered)
	}
	c.Close()
	<-sent
	if n := stat.Quantile(kernel, 0.5); n > 192<<10 {
		t.Errorf("the kernel holds %d bytes that have not entered", n)
	}
	most := int64(float64(p.Up) * (p.RoundTrip/2 + path.DefaultQueue + 5*time.Millisecond).Seconds())
	if n := stat.Quantile(onTheWay, 0.5); n > most || n < most*3/4 {
		t.Errorf("%d bytes are on their way, want at most %d", n, most)
	}
}
