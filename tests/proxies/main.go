//go:build unix

// Command proxies runs real reverse proxies in front of servers, reloads,
// restarts and ends them under load, and checks that calls are not affected.
//
//	go run ./tests/proxies
//
// It needs nginx, haproxy and caddy in the path, and Linux.
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
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "proxies:", err)
		os.Exit(1)
	}
}

// settings are the values of the flags.
type settings struct {
	seed  uint64
	times int // that a proxy is reloaded in one row
	roll  int // servers that are replaced in one row
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var s settings
	flags := flag.NewFlagSet("proxies", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Uint64Var(&s.seed, "seed", 0, "what is drawn from; 0 takes another each time")
	flags.IntVar(&s.times, "times", 3, "reload so many times in one row")
	short := flags.Bool("short", false, "reload once, and replace one server")
	only := flags.String("only", "", "only rows with this in the proxy's name or in what happens")
	caddyPath := flags.String("caddy", "caddy", "another Caddy")
	limit := flags.Duration("limit", 10*time.Minute, "time for all")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.seed == 0 {
		s.seed = rand.Uint64()
	}
	s.roll = servers
	if *short {
		s.times, s.roll = 1, 1
	}
	fmt.Fprintf(out, "seed %d\n", s.seed)
	ctx, cancel := context.WithTimeoutCause(ctx, *limit, errors.New("the time is up"))
	defer cancel()
	return s.table(ctx, out, choose(rows(kinds(*caddyPath)), *only))
}

// choose returns the rows whose proxy or event contains a text.
func choose(all []row, text string) (chosen []row) {
	for _, r := range all {
		if strings.Contains(r.kind.name()+" "+r.what, text) {
			chosen = append(chosen, r)
		}
	}
	return chosen
}
