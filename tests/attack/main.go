// Command attack attacks a server in the ways that are known to hurt, one after the
// other, and finds out what that costs the server, and what it does to a client on
// another connection that behaves well.
//
//	go run ./tests/attack -seconds 5
//
// Server and attackers are processes of their own. The attackers run at the lowest
// priority, since on their own machines they would not take the server's CPU. It
// needs Linux.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/tests/internal/child"
	"github.com/parley-rpc/parley/tests/internal/rig"
)

func main() {
	if err := asChild(); err != nil {
		fmt.Fprintln(os.Stderr, "attack: child:", err)
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "attack:", err)
		os.Exit(1)
	}
}

// asChild plays the part of a child process, if this is one, and then ends it.
func asChild() error {
	if addr := os.Getenv(serveVariable); addr != "" {
		if err := serve(addr, os.Stdin, os.Stdout); err != nil {
			return err
		}
		os.Exit(0)
	}
	if what := os.Getenv(attackVariable); what != "" {
		if err := attackAsTold(what, attacks, os.Stdin, os.Stdout); err != nil {
			return err
		}
		os.Exit(0)
	}
	return nil
}

const (
	// worst is by how much the p99 of the client that behaves well may grow.
	worst = 3
	// mostMemory is how many bytes an attack may add to the server's memory.
	mostMemory = 256 << 20
)

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("attack", flag.ContinueOnError)
	flags.SetOutput(out)
	seconds := flags.Float64("seconds", 5, "duration of each attack")
	only := flags.String("only", "", "one attack, by name")
	if err := flags.Parse(args); err != nil {
		return err
	}
	d := time.Duration(*seconds * float64(time.Second))
	fmt.Fprintf(out, "%-16s %9s %9s %7s %10s %10s %10s  %s\n",
		"attack", "p99 quiet", "p99 under", "ratio", "server CPU", "memory", "after", "what the attackers did")
	var bad []error
	for _, a := range attacks {
		if *only != "" && a.name != *only {
			continue
		}
		f, err := measure(ctx, a, d)
		if err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		fmt.Fprintln(out, f)
		bad = append(bad, f.judge())
	}
	return errors.Join(bad...)
}

// figures are what came of an attack.
type figures struct {
	name         string
	quiet, under time.Duration // p99
	failed       error         // of the client that behaves well
	cpu          float64       // cores
	most, after  int64         // bytes of resident memory more than before
	did          string
}

func (f figures) ratio() float64 { return float64(f.under) / float64(f.quiet) }

func (f figures) String() string {
	return fmt.Sprintf("%-16s %6.2f ms %6.2f ms %7.1f %4.2f cores %6.1f MiB %6.1f MiB  %s", f.name,
		float64(f.quiet.Microseconds())/1000, float64(f.under.Microseconds())/1000, f.ratio(),
		f.cpu, float64(f.most)/(1<<20), float64(f.after)/(1<<20), f.did)
}

func (f figures) judge() error {
	switch {
	case f.name == control:
		return nil // shows what the machine does by itself
	case f.failed != nil:
		return fmt.Errorf("%s: a call of the client that behaves well: %w", f.name, f.failed)
	case f.ratio() > worst:
		return fmt.Errorf("%s: the p99 is %.1f times what it was, more than %d", f.name, f.ratio(), worst)
	case f.most > mostMemory:
		return fmt.Errorf("%s: %d bytes of memory, more than %d", f.name, f.most, mostMemory)
	}
	return nil
}

// measure runs one attack on a server of its own.
func measure(ctx context.Context, a attack, d time.Duration) (f figures, err error) {
	f.name = a.name
	server, err := child.Start(serveVariable, "127.0.0.1:0")
	if err != nil {
		return f, err
	}
	defer server.Kill()
	client := rpc.NewClient("ws://" + server.Ready + rig.Path)
	defer client.Close()                                       //nolint:errcheck // has nothing in flight
	if _, err := probe(ctx, client, time.Second); err != nil { // makes what is made only once
		return f, err
	}
	if f.quiet, err = probe(ctx, client, d); err != nil {
		return f, err
	}
	before, err := server.Usage()
	if err != nil {
		return f, err
	}
	attackers, err := child.Start(attackVariable, a.name+" "+server.Ready)
	if err != nil {
		return f, err
	}
	watched, stop := context.WithCancel(ctx)
	peak := make(chan int64)
	go func() { peak <- watch(watched, server) }()
	began := time.Now()
	f.under, f.failed = probe(ctx, client, d)
	during, err := server.Usage()
	f.cpu = (during.CPU - before.CPU).Seconds() / time.Since(began).Seconds()
	stop()
	f.most = <-peak - before.Resident
	f.did = strings.TrimSpace(attackers.End())
	if err != nil {
		return f, err
	}
	pause(ctx, 2*time.Second)
	after, err := server.Usage()
	f.after = after.Resident - before.Resident
	return f, err
}

// watch returns the most memory that a process has had until ctx ended.
func watch(ctx context.Context, p *child.Process) (most int64) {
	for ctx.Err() == nil {
		if use, err := p.Usage(); err == nil {
			most = max(most, use.Resident)
		}
		pause(ctx, 20*time.Millisecond)
	}
	return most
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
