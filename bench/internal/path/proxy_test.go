package path_test

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/parley-rpc/parley/bench/internal/path"
	"github.com/parley-rpc/parley/bench/internal/stat"
)

// serve has a server on the loopback interface handle its connections, and
// returns its address.
func serve(t *testing.T, handle func(net.Conn)) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				handle(c)
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		serving.Wait()
	})
	return ln.Addr().String()
}

// through starts a proxy to a server.
func through(t *testing.T, p path.Path, handle func(net.Conn)) *path.Proxy {
	t.Helper()
	x, err := path.Listen(p, serve(t, handle))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

func dial(t *testing.T, x *path.Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", x.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func echo(c net.Conn) { _, _ = io.Copy(c, c) }

// flood sends until it cannot.
func flood(c net.Conn) {
	for buf := make([]byte, 64<<10); ; {
		if _, err := c.Write(buf); err != nil {
			return
		}
	}
}

// attempts is how often a measurement may be disturbed by what else the machine
// does. It can only make things slower.
const attempts = 5

func TestEchoTakesTheRoundTrip(t *testing.T) {
	const roundTrip, tolerance = 40 * time.Millisecond, 2 * time.Millisecond
	x := through(t, path.Path{RoundTrip: roundTrip, Up: 100 * path.Megabit, Down: 100 * path.Megabit}, echo)
	var median time.Duration
	for range attempts {
		if median = medianEcho(t, dial(t, x)); median < roundTrip+tolerance {
			break
		}
	}
	if median < roundTrip-tolerance || median > roundTrip+tolerance {
		t.Errorf("the median is %v", median)
	}
}

func medianEcho(t *testing.T, c net.Conn) time.Duration {
	var took []time.Duration
	for buf := make([]byte, 100); len(took) < 20; {
		began := time.Now()
		if _, err := c.Write(buf); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, buf); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	return stat.Quantile(took, 0.5)
}

func TestBulkHasTheRate(t *testing.T) {
	for _, p := range []path.Path{
		{RoundTrip: 20 * time.Millisecond, Up: 10 * path.Megabit, Down: 50 * path.Megabit},
		{RoundTrip: 30 * time.Millisecond, Up: 1000 * path.Megabit, Down: 1000 * path.Megabit},
		{RoundTrip: 100 * time.Millisecond},
	} {
		t.Run(p.String(), func(t *testing.T) {
			x := through(t, p, flood)
			var rate path.Rate
			for range attempts {
				if rate = bulk(t, dial(t, x)); rate > p.Down*0.97 {
					break
				}
			}
			t.Logf("%.1f MB/s", rate/1e6)
			if p.Down > 0 && (rate < p.Down*0.97 || rate > p.Down*1.03) {
				t.Errorf("%v bytes/s, want %v", rate, p.Down)
			}
		})
	}
}

// bulk returns the rate of what arrives, and closes the connection.
func bulk(t *testing.T, c net.Conn) path.Rate {
	const warmup, measured = 300 * time.Millisecond, time.Second
	defer c.Close()
	var (
		n     int64
		began time.Time
		first = time.Now()
	)
	for buf := make([]byte, 256<<10); time.Since(first) < warmup+measured; {
		k, err := c.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if !began.IsZero() {
			n += int64(k)
		} else if time.Since(first) > warmup {
			began = time.Now()
		}
	}
	return path.Rate(float64(n) / time.Since(began).Seconds())
}

func TestCutResetsBothEnds(t *testing.T) {
	atServer := make(chan error, 1)
	x := through(t, path.Path{RoundTrip: 2 * time.Millisecond}, func(c net.Conn) {
		_, _ = c.Write([]byte("here"))
		_, err := c.Read(make([]byte, 1))
		atServer <- err
	})
	c := dial(t, x)
	if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	if n := x.Cut(); n != 1 {
		t.Errorf("%d connections were cut", n)
	}
	_, err := c.Read(make([]byte, 1))
	for end, err := range map[string]error{"client": err, "server": <-atServer} {
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the %s has %v", end, err)
		}
	}
}

func TestEndOfAStreamComesAfterItsBytes(t *testing.T) {
	const size = 1 << 20
	x := through(t, path.Path{RoundTrip: 10 * time.Millisecond}, func(c net.Conn) {
		got, _ := io.ReadAll(c)
		_, _ = c.Write(got)
	})
	c := dial(t, x)
	if _, err := c.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); len(got) != size || err != nil {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}
