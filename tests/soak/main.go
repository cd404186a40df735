// Command soak opens and ends connections for a while, with calls of all kinds
// in both directions, broken links, canceled calls and expired deadlines, and
// compares the memory before and after.
//
//	go run ./tests/soak -seconds 120
//
// It exits with 1 if goroutines are left, if the heap has grown by more than
// the slack, or if a message was lost, came twice or out of order.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/parley-rpc/parley/tests/internal/faulty"
	"github.com/parley-rpc/parley/tests/internal/rig"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// settings are the values of the flags.
type settings struct {
	seconds int
	clients int
	slack   int64
	seed    uint64
}

const (
	// warmUp fills pools and caches before the first measurement of memory.
	warmUp = 3 * time.Second
	// callTimeout is when a call counts as hanging.
	callTimeout = time.Minute
	// most is the maximum of bytes between two faults of a connection.
	most = 1 << 20
	// window is the resume window. A client that leaves while its session is
	// detached cannot tell the server, which goes on with its calls for that
	// long.
	window = 5 * time.Second
	// forEver is more links than can break within the time.
	forEver = 1 << 30
)

func run(ctx context.Context, args []string, out io.Writer) error {
	var s settings
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.IntVar(&s.seconds, "seconds", 120, "duration")
	flags.IntVar(&s.clients, "clients", 16, "connections at once")
	flags.Int64Var(&s.slack, "slack", 2<<20, "bytes by which the heap may have grown")
	flags.Uint64Var(&s.seed, "seed", 0, "what is drawn from; 0 takes another each time")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.seed == 0 {
		s.seed = rand.Uint64()
	}
	fmt.Fprintf(out, "seed %d\n", s.seed)

	if _, err := s.soak(ctx, warmUp); err != nil {
		return fmt.Errorf("warming up: %w", err)
	}
	before := measure(ctx, 0)
	fmt.Fprintf(out, "start: %s\n", before)
	load, err := s.soak(ctx, time.Duration(s.seconds)*time.Second)
	fmt.Fprint(out, load)
	after := measure(ctx, before.goroutines)
	fmt.Fprintf(out, "end:   %s\n", after)
	if n := after.goroutines - before.goroutines; n != 0 {
		err = errors.Join(err, fmt.Errorf("%d goroutines more than at the start:\n%s", n, stacks()))
	}
	if n := after.heap - before.heap; n > s.slack {
		err = errors.Join(err, fmt.Errorf("the heap has grown by %d bytes, more than %d", n, s.slack))
	}
	return err
}

// soak runs the load and returns its description.
func (s settings) soak(ctx context.Context, d time.Duration) (string, error) {
	r, err := rig.New(rig.Config{
		Seed:    s.seed,
		Workers: 2,
		Timeout: callTimeout,
		GiveUp:  25,
		Pace:    2 * time.Millisecond,
		Window:  window,
		Leave:   true,
	})
	if err != nil {
		return "", err
	}
	defer r.Close()
	proxy, err := faulty.Listen(r.Addr, s.seed, most)
	if err != nil {
		return "", err
	}
	defer proxy.Close()
	proxy.Arm(forEver)
	r.Begin()
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	came, err := s.crowd(ctx, r, proxy.Addr())

	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	if r.Finish(wait) != nil {
		err = errors.Join(err, fmt.Errorf("calls did not end: %q", r.Book.Pending()))
	}
	t := r.Book.Totals()
	if t.Lost+t.Duplicated+t.Reordered+t.Damaged+t.Failed > 0 {
		err = errors.Join(err, fmt.Errorf("calls went wrong: %+v: %w", t, errors.Join(r.Book.Failures()...)))
	}
	return fmt.Sprintf("%d connections came and went, %d resumptions, %s\n"+
		"calls: %d unary, %d server-stream, %d client-stream, %d bidi, %d canceled or late, %d ended with their connection\n"+
		"%d messages, %.1f MB over the network; lost %d duplicated %d reordered %d\n",
		came, r.Resumed(), proxy.Report(),
		t.Calls[0], t.Calls[1], t.Calls[2], t.Calls[3], t.GivenUp, t.Orphaned,
		t.Messages, float64(proxy.Bytes())/1e6, t.Lost, t.Duplicated, t.Reordered), err
}
