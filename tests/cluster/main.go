// Command cluster breaks a cluster of three servers under load, in every way
// that the parts of a cluster fail, and counts the results.
//
//	go run .
//
// Each scenario has a NATS server and three servers, each in a process of its
// own, nginx or HAProxy in front of them without stickiness, and clients in this
// process. It exits with 0 only if every bar of docs/cluster.md is met. It needs
// the balancer in the path.
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
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/parley-rpc/parley/tests/internal/balancer"
)

func main() {
	if served, err := serveChild(os.Stdin, os.Stdout); served {
		if err != nil {
			fmt.Fprintln(os.Stderr, "cluster: child:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

// serveChild runs what the environment asks for. It reports false if that is
// nothing.
func serveChild(in io.Reader, out io.Writer) (bool, error) {
	if config := os.Getenv(serveVariable); config != "" {
		return true, serve(config, in, out)
	}
	if config := os.Getenv(natsVariable); config != "" {
		return true, serveNATS(config, in, out)
	}
	return false, nil
}

// settings are the values of the flags.
type settings struct {
	balancer *balancer.Program

	cuts    int
	clients int
	seed    uint64
	only    *regexp.Regexp
	pace    time.Duration // between unary calls of a client
	count   uint64        // notes of a stream
	publish time.Duration // between two items of a topic
	spread  time.Duration // of a drain
	calm    time.Duration // before and after a fault
	away    time.Duration // how long NATS is away at most
	limit   time.Duration

	rand *rand.Rand
}

func parse(args []string, out io.Writer) (*settings, error) {
	s := &settings{pace: 20 * time.Millisecond, count: 20, publish: 20 * time.Millisecond, spread: 500 * time.Millisecond, calm: time.Second}
	flags := flag.NewFlagSet("cluster", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.IntVar(&s.cuts, "cuts", 300, "links to break")
	flags.IntVar(&s.clients, "clients", 30, "clients")
	flags.Uint64Var(&s.seed, "seed", 0, "what is drawn from; 0 takes another each time")
	flags.DurationVar(&s.away, "away", 20*time.Second, "how long NATS is away in the longer of two scenarios")
	flags.DurationVar(&s.limit, "limit", 10*time.Minute, "time for all")
	short := flags.Bool("short", false, "take about 90 s: fewer cuts, NATS away for less long")
	front := flags.String("balancer", "nginx", "what is in front of the servers: nginx or haproxy")
	only := flags.String("run", "", "run the scenarios whose names match this expression")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if *short {
		s.cuts, s.away, s.calm = 60, 6*time.Second, 500*time.Millisecond
		if err := flags.Parse(args); err != nil { // other flags override it
			return nil, err
		}
	}
	if s.cuts < 1 || s.clients < servers {
		return nil, fmt.Errorf("%d cuts, %d clients: at least 1 and %d are needed", s.cuts, s.clients, servers)
	}
	var err error
	if s.balancer, err = balancer.Named(*front); err != nil {
		return nil, err
	}
	if s.only, err = regexp.Compile(*only); err != nil {
		return nil, err
	}
	if s.seed == 0 {
		s.seed = rand.Uint64()
	}
	s.rand = rand.New(rand.NewPCG(s.seed, 1))
	return s, nil
}

func run(ctx context.Context, args []string, out io.Writer) error {
	s, err := parse(args, out)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.limit, errors.New("the time is up"))
	defer cancel()
	version, err := s.balancer.Version()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s; %d servers, %d clients, seed %d\n", version, servers, s.clients, s.seed)
	var results []*result
	var missed []error
	for _, sc := range scenarios {
		if !s.only.MatchString(sc.name) {
			continue
		}
		r, err := s.play(ctx, sc)
		if err != nil {
			return fmt.Errorf("%s: %w", sc.name, err)
		}
		r.print(out)
		results = append(results, r)
		if wrong := r.verdict(); len(wrong) > 0 {
			missed = append(missed, fmt.Errorf("%s: %s", r.name, strings.Join(wrong, "; ")))
		}
	}
	if len(results) == 0 {
		return errors.New("no scenario has that name")
	}
	table(out, results)
	return errors.Join(missed...)
}
