package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/parley-rpc/parley/tests/internal/notes"
)

// scenario is a fault, and what may follow from it.
type scenario struct {
	name string
	run  func(ctx context.Context, w *world) error
}

// scenarios are all scenarios, in the order in which they run.
var scenarios = []scenario{
	{"links are cut", cutLinks},
	{"a server is killed", killServer},
	{"rolling deploy", deploy},
	{"NATS is away for 1 s", natsAwayShortly},
	{"NATS is away for long", natsAwayLong},
	{"a node is frozen", freeze},
	{"nodes reach only NATS", isolateNodes},
	{"a node does not reach NATS", isolateFromNATS},
	{"slow subscribers", slowSubscribers},
}

// play runs a scenario.
func (s *settings) play(ctx context.Context, sc scenario) (r *result, err error) {
	began := time.Now()
	w, err := s.build(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	w.name = sc.name
	err = w.run(ctx, sc)
	w.took = time.Since(began)
	return &w.result, err
}

// run runs a scenario with calm before and after it. A client comes before the
// fault and leaves after it, for good.
func (w *world) run(ctx context.Context, sc scenario) error {
	const visitor = "visitor"
	if err := w.visit(ctx, visitor); err != nil {
		return err
	}
	if err := notes.Pause(ctx, w.calm); err != nil {
		return err
	}
	if err := sc.run(ctx, w); err != nil {
		return err
	}
	if err := w.depart(visitor); err != nil {
		return err
	}
	if err := notes.Pause(ctx, w.calm); err != nil {
		return err
	}
	return w.finish(ctx)
}

// settle measures how long it takes until the directory is right, from now on.
func (w *world) settle(ctx context.Context) error {
	took, err := w.right(ctx)
	if err != nil && took <= mostWrong {
		return err // of the arrangement
	}
	if err != nil {
		w.wrong = append(w.wrong, err.Error())
	}
	w.result.right, w.settled = max(took, w.result.right), mostUntilRight
	return nil
}

// table prints the results in the format of docs/cluster.md.
func table(out io.Writer, results []*result) {
	fmt.Fprintln(out, "\n| fault | calls | sessions lost | failed | lost, duplicated, reordered | ghosts | gaps told, hidden | directory right |")
	fmt.Fprintln(out, "|---|--:|--:|--:|--:|--:|--:|--:|")
	for _, r := range results {
		n := &r.report
		fmt.Fprintf(out, "| %s | %d | %d | %d | %d, %d, %d | %d | %d, %d | %.2f s |\n", r.name, n.Calls, r.lost, n.Failed,
			n.Lost+r.topics.lost, n.Duplicated+r.topics.duplicated, n.Reordered+r.topics.reordered, r.ghosts,
			r.topics.told, r.topics.hidden, r.right.Seconds())
	}
}
