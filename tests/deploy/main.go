// Command deploy restarts three servers under load, one after another, as a
// rolling deploy does, and counts the results of their clients' calls.
//
//	go run ./tests/deploy
//
// It exits with 0 only if no call failed and no message was lost, came twice or
// out of order. It also kills servers: there, only calls that may be repeated
// must not fail. It needs nginx in the path, Node.js, and the packages of web/.
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
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"time"

	"github.com/parley-rpc/parley/tests/internal/balancer"
)

func main() {
	if config := os.Getenv(serveVariable); config != "" {
		if err := serve(config, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "deploy: server:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "deploy:", err)
		os.Exit(1)
	}
}

// settings are the values of the flags.
type settings struct {
	rounds  int
	clients int
	nodes   int // processes
	conns   int // connections of each of them
	seed    uint64
	only    *regexp.Regexp
	pace    time.Duration // between unary calls
	count   uint64        // notes of a stream
	spread  time.Duration // of a drain
	pauses  time.Duration // between restarts
	down    time.Duration // of a server that was killed
	limit   time.Duration

	rand    *rand.Rand
	root    string // of the repository
	program string // of the Node.js clients
}

func parse(args []string, out io.Writer) (*settings, error) {
	s := &settings{pace: 10 * time.Millisecond, count: 40, pauses: time.Second, root: "."}
	flags := flag.NewFlagSet("deploy", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.IntVar(&s.rounds, "rounds", 2, "restart all servers so many times, or kill so many")
	flags.IntVar(&s.clients, "clients", 20, "Go clients")
	flags.IntVar(&s.nodes, "nodes", 2, "processes of Node.js clients")
	flags.IntVar(&s.conns, "conns", 3, "connections of each of these processes")
	flags.Uint64Var(&s.seed, "seed", 0, "what is drawn from; 0 takes another each time")
	flags.DurationVar(&s.spread, "spread", 2*time.Second, "time over which a server spreads its clients")
	flags.DurationVar(&s.down, "down", 8*time.Second, "how long a server that was killed stays down")
	flags.DurationVar(&s.limit, "limit", 15*time.Minute, "time for all")
	short := flags.Bool("short", false, "take about a minute: one round, fewer clients, a spread of 1 s")
	only := flags.String("run", "", "run the arrangements whose names match this expression")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	var err error
	if s.root, err = filepath.Abs(s.root); err != nil {
		return nil, err
	}
	if s.only, err = regexp.Compile(*only); err != nil {
		return nil, err
	}
	if *short {
		s.rounds, s.clients, s.nodes, s.conns, s.count = 1, 10, 1, 3, 20
		s.spread, s.pauses, s.down = 500*time.Millisecond, 500*time.Millisecond, 6*time.Second
		if err := flags.Parse(args); err != nil { // other flags override it
			return nil, err
		}
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
	fmt.Fprintf(out, "seed %d; %d Go clients, %d Node.js processes with %d connections each; %d rounds\n",
		s.seed, s.clients, s.nodes, s.conns, s.rounds)
	if err := s.prepare(out); err != nil {
		return err
	}
	return s.runAll(ctx, out)
}

// prepare checks the prerequisites.
func (s *settings) prepare(out io.Writer) (err error) {
	if s.nodes > 0 {
		if s.program, err = s.build(); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc(arrangements, func(a arrangement) bool { return a.nginx && s.only.MatchString(a.name) }) {
		return nil
	}
	version, err := balancer.Nginx.Version()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, version)
	return nil
}

func (s *settings) runAll(ctx context.Context, out io.Writer) error {
	var results []*result
	var wrong []error
	for i := range arrangements {
		a := &arrangements[i]
		if !s.only.MatchString(a.name) {
			continue
		}
		r, err := s.run(ctx, a)
		if err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		r.print(out)
		results = append(results, r)
		wrong = append(wrong, r.verdict(s.down))
	}
	table(out, results)
	return errors.Join(wrong...)
}
