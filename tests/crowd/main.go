// Command crowd opens many connections at once, each with one open call. After
// a while it checks whether all are alive, and measures what they cost.
//
//	go run ./tests/crowd -conns 5000
//
// The server is a process of its own, so that each end's memory is known. It
// needs Linux, and as many file descriptors as connections in each process.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/parley-rpc/parley/tests/internal/child"
)

func main() {
	if addr := os.Getenv(serveVariable); addr != "" {
		if err := serve(addr, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "crowd: server:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "crowd:", err)
		os.Exit(1)
	}
}

// settings are the values of the flags.
type settings struct {
	conns int
	hold  time.Duration
	open  time.Duration
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var s settings
	flags := flag.NewFlagSet("crowd", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.IntVar(&s.conns, "conns", 5000, "connections")
	flags.DurationVar(&s.hold, "hold", time.Minute, "how long they stay")
	flags.DurationVar(&s.open, "open", 30*time.Second, "in which time they have to be there")
	if err := flags.Parse(args); err != nil {
		return err
	}
	server, err := child.Start(serveVariable, "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer server.Kill()
	if err := once(ctx, server.Ready); err != nil {
		return err
	}
	return s.crowd(ctx, out, server)
}

// crowd opens the connections, waits, and closes them.
func (s settings) crowd(ctx context.Context, out io.Writer, server *child.Process) error {
	before, err := look(server)
	if err != nil {
		return err
	}
	began := time.Now()
	var cs clients
	defer func() { _ = cs.leave() }() // after an earlier error
	if err := cs.arrive(ctx, s.conns, server.Ready); err != nil {
		return err
	}
	took := time.Since(began)
	fmt.Fprintf(out, "%d connections with a call each, opened in %.1f s\n", s.conns, took.Seconds())
	pause(ctx, s.hold)
	after, err := look(server)
	if err != nil {
		return err
	}
	if err := cs.ask(); err != nil {
		return fmt.Errorf("after %v: %w", s.hold, err)
	}
	fmt.Fprintf(out, "all alive after %v of silence; links lost: %d\n", s.hold, cs.linksLost.Load())
	per := func(from, to int64) float64 { return float64(to-from) / 1024 / float64(s.conns) }
	fmt.Fprintf(out, "resident memory: %.1f KiB per connection at the server, %.1f KiB at the clients\n",
		per(before.server, after.server), per(before.clients, after.clients))
	closing := time.Now()
	if err := cs.leave(); err != nil {
		return fmt.Errorf("not closed cleanly: %w", err)
	}
	left, err := served(ctx, server.Ready)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "closed cleanly in %.1f s; the server has %d connections left\n", time.Since(closing).Seconds(), left)
	switch {
	case took > s.open:
		return fmt.Errorf("opening took %v, longer than %v", took, s.open)
	case cs.linksLost.Load() > 0:
		return fmt.Errorf("%d links were lost", cs.linksLost.Load())
	case left != 0:
		return fmt.Errorf("the server has %d connections left", left)
	}
	return nil
}

// memory is resident memory in bytes.
type memory struct{ server, clients int64 }

func look(server *child.Process) (m memory, err error) {
	use, err := server.Usage()
	own, ownErr := child.UsageOf(os.Getpid())
	return memory{use.Resident, own.Resident}, errors.Join(err, ownErr)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// once connects and makes a call, so that everything that is allocated once
// exists.
func once(ctx context.Context, addr string) error {
	var cs clients
	err := cs.arrive(ctx, 1, addr)
	return errors.Join(err, cs.leave())
}
