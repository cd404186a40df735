// Command attack attacks a server in all known ways, one after the other. It
// measures what that costs the server, and how it affects a client on another
// connection that keeps the rules.
//
//	go run ./tests/attack -seconds 9
//
// Server and attackers are processes of their own. The attackers run only on
// processors that nothing else wants, since on their own machines they would not
// take the server's CPU: they have idle priority, and server and clients have
// real-time priority. It needs Linux, and root for the latter.
//
// The client makes a small call every 4 ms, whether or not the ones before have
// been answered. So a server that stops for a while is late for all calls of
// that time. What counts is the p99 of the calls' durations, from a second
// after the attackers have begun to arrive. That second has a figure of its own
// ("arriving"). The p99 depends on what else the machine does, and may change
// several times over within a minute. So quiet and attack take turns. Each turn
// has its own p99, the figures are the medians of the turns, and the ratio is
// that of the medians. A spell of noise spoils a turn or two of either kind,
// but an attack that does harm does it in most of its turns. If the ratio is
// too high, all turns are taken again, twice at most, before it is judged.
// There are also turns in which the attackers only compute. If the client
// suffers as much from those ("p99 idle"), the reason is a lack of CPU, not
// what the attackers send.
//
// With -short each attack has one turn. The verdict is then on memory, and on
// calls and clients that were refused: it holds on a busy machine too.
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
)

func main() {
	if err := asChild(); err != nil {
		fmt.Fprintln(os.Stderr, "attack: child:", err)
		os.Exit(1)
	}
	if err := goAhead(); err != nil {
		fmt.Fprintln(os.Stderr, "attack:", err)
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

// asChild runs the child's part and exits, if this is a child process.
func asChild() error {
	if addr := os.Getenv(serveVariable); addr != "" {
		if err := serve(addr, os.Stdin, os.Stdout); err != nil {
			return err
		}
		os.Exit(0)
	}
	if what := os.Getenv(attackVariable); what != "" {
		if err := attackAsTold(what, os.Stdin, os.Stdout); err != nil {
			return err
		}
		os.Exit(0)
	}
	return nil
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("attack", flag.ContinueOnError)
	flags.SetOutput(out)
	seconds := flags.Float64("seconds", 9, "duration of each attack, over all its turns")
	turns := flags.Int("turns", 3, "how often attack and quiet take turns")
	only := flags.String("only", "", "one attack, by name")
	short := flags.Bool("short", false, "one short turn of each attack, with a verdict on memory and refusals, and none on latency")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *turns < 1 || *seconds <= 0 {
		return errors.New("-turns and -seconds have to be positive")
	}
	if *short {
		*turns, *seconds = 1, 1.5
	}
	fmt.Fprintln(out, heading)
	var bad []error
	for _, a := range attacks {
		if *only != "" && a.name != *only {
			continue
		}
		m := measurement{attack: a, short: *short, turns: *turns, turn: time.Duration(*seconds * float64(time.Second) / float64(*turns))}
		f, err := m.run(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		fmt.Fprintln(out, f)
		bad = append(bad, f.judge())
	}
	return errors.Join(bad...)
}
