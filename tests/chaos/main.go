// Command chaos breaks connections while calls of all kinds run over them in
// both directions, and counts their messages; it also kills a server.
//
//	go run ./tests/chaos -cuts 2000
//
// It exits with 1 if a message was lost, came twice or out of order, if a call
// failed that should not have, or if one hung.
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
)

func main() {
	if addr := os.Getenv(serveVariable); addr != "" {
		if err := serve(addr, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "chaos: server:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

// settings are the values of the flags.
type settings struct {
	cuts    int
	kills   int
	clients int
	workers int
	most    int64
	seed    uint64
	limit   time.Duration
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var s settings
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.IntVar(&s.cuts, "cuts", 2000, "break so many links")
	flags.IntVar(&s.kills, "kills", 5, "kill the server so many times")
	flags.IntVar(&s.clients, "clients", 16, "connections")
	flags.IntVar(&s.workers, "workers", 3, "calls at once, of each end of each connection")
	flags.Int64Var(&s.most, "most", 512<<10, "most bytes between two faults of a connection")
	flags.Uint64Var(&s.seed, "seed", 0, "what is drawn from; 0 takes another each time")
	flags.DurationVar(&s.limit, "limit", 0, "time for all; 0: 15 minutes, and 100 ms for each link to break")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.seed == 0 {
		s.seed = rand.Uint64()
	}
	if s.limit == 0 {
		s.limit = 15*time.Minute + time.Duration(s.cuts)*100*time.Millisecond
	}
	fmt.Fprintf(out, "seed %d\n", s.seed)
	ctx, cancel := context.WithTimeoutCause(ctx, s.limit, errors.New("the time is up"))
	defer cancel()
	return errors.Join(s.kill(ctx, out), s.cut(ctx, out))
}
