// Command nginx runs a real nginx as the reverse proxy in front of a server, and
// finds out what its timeouts and reloads do to calls: nothing.
//
//	go run ./tests/nginx
//
// It needs nginx in the path, and Linux.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
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
		fmt.Fprintln(os.Stderr, "nginx:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("nginx", flag.ContinueOnError)
	flags.SetOutput(out)
	seed := flags.Uint64("seed", 0, "what is drawn from; 0 takes another each time")
	reloads := flags.Int("reloads", 5, "reload so many times")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	fmt.Fprintf(out, "seed %d\n", *seed)
	version, err := exec.Command("nginx", "-v").CombinedOutput()
	if err != nil {
		return fmt.Errorf("nginx is not there: %w", err)
	}
	fmt.Fprintln(out, strings.TrimSpace(string(version)))

	ctx, cancel := context.WithTimeoutCause(ctx, 5*time.Minute, errors.New("the time is up"))
	defer cancel()
	for _, t := range []struct {
		claim string
		test  func(context.Context, io.Writer) error
	}{
		{"an idle connection outlives proxy_read_timeout, as the keepalive is shorter", idle},
		{"a connection that proxy_read_timeout cuts, as the keepalive is longer, is resumed", idleTooLong},
		{"calls go on while nginx is reloaded", func(ctx context.Context, out io.Writer) error {
			return reload(ctx, out, *seed, *reloads)
		}},
		{"calls go on when nginx is stopped and started", restart},
	} {
		if err := t.test(ctx, out); err != nil {
			return fmt.Errorf("not so: %s: %w", t.claim, err)
		}
		fmt.Fprintln(out, "ok:", t.claim)
	}
	return nil
}
