package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/parley-rpc/parley/rpc"
)

// arrangement is how clients reach the servers, and how servers end.
type arrangement struct {
	name     string
	nginx    bool
	balance  string // a directive of nginx
	balancer rpc.Balancer
	kill     bool
	cut      bool // links are cut all the while
}

var arrangements = []arrangement{
	{name: "nginx, round robin", nginx: true},
	{name: "nginx, hash of a cookie", nginx: true, balance: "hash $cookie_sid consistent;"},
	{name: "direct, PickFirst"},
	{name: "direct, RoundRobin", balancer: rpc.RoundRobin},
	{name: "direct, PickFirst, links are cut", cut: true},
	{name: "nginx, round robin, kill -9", nginx: true, kill: true},
	{name: "direct, PickFirst, kill -9", kill: true},
	{name: "direct, RoundRobin, kill -9", balancer: rpc.RoundRobin, kill: true},
}

// nodeBalancer is the balancer of Node.js clients.
func (a *arrangement) nodeBalancer() string {
	if a.balancer == rpc.RoundRobin {
		return "roundRobin"
	}
	return "pickFirst"
}

// result is what an arrangement has shown.
type result struct {
	*arrangement
	Report
	restarts int
	kills    []time.Time
	took     time.Duration
}

// noticed is how long after a kill its clients may not know of it.
const noticed = 200 * time.Millisecond

// waits returns how long the slowest unary call took, and the slowest of those that
// were under way when a server was killed, both in milliseconds. The latter wait until
// their session is resumed or given up, and do not count as the former.
func (r *result) waits() (slowest, inFlight int64) {
	for _, c := range r.Slow {
		if slices.ContainsFunc(r.kills, func(kill time.Time) bool {
			return c.Began < kill.Add(noticed).UnixMilli() && c.Began+c.Took > kill.UnixMilli()
		}) {
			inFlight = max(inFlight, c.Took)
		} else {
			slowest = max(slowest, c.Took)
		}
	}
	return slowest, inFlight
}

// run runs an arrangement.
func (s *settings) run(ctx context.Context, a *arrangement) (r *result, err error) {
	f, err := s.start()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.end()) }()
	urls, stop, err := s.front(ctx, a, f)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	goClients, err := s.connect(ctx, a, urls)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, goClients.close()) }()
	nodes, err := s.spawn(a, urls)
	if err != nil {
		return nil, err
	}
	defer nodes.close()

	began := time.Now()
	r = &result{arrangement: a}
	if r.restarts, err = s.deploy(ctx, a, f); err != nil {
		return nil, err
	}
	if err := f.rest(); err != nil {
		return nil, err
	}
	r.took, r.kills = time.Since(began), f.kills
	r.merge(goClients.finish())
	of, err := nodes.finish()
	r.merge(of)
	if err = errors.Join(err, goClients.close(), f.end()); err != nil {
		return nil, err
	}
	r.merge(&f.sum)
	r.since(began)
	r.settle()
	return r, nil
}

// front starts what is in front of the servers, and returns the URLs for clients.
func (s *settings) front(ctx context.Context, a *arrangement, f *fleet) ([]string, func() error, error) {
	if a.cut {
		return s.cutter(f)
	}
	if !a.nginx {
		return f.urls(), func() error { return nil }, nil
	}
	n, err := s.proxy(ctx, a.balance, f.addrs)
	if err != nil {
		return nil, nil, err
	}
	return urls(n.addr), n.stop, nil
}

// deploy restarts all servers, one after the other, in each round. Where they are
// killed it is one in each round.
func (s *settings) deploy(ctx context.Context, a *arrangement, f *fleet) (n int, err error) {
	for round := range s.rounds {
		for i := range servers {
			if a.kill && i != round%servers {
				continue
			}
			if err := pause(ctx, s.pauses); err != nil {
				return n, context.Cause(ctx)
			}
			if a.kill {
				err = f.kill(ctx, i, s.away)
			} else {
				err = f.restart(i)
			}
			if err != nil {
				return n, fmt.Errorf("server %d: %w", i, err)
			}
			n++
		}
	}
	return n, pause(ctx, s.pauses)
}

// since forgets the handshakes before a time: those of clients that start.
func (r *Report) since(t time.Time) {
	kept := r.Handshakes[:0]
	for _, at := range r.Handshakes {
		if at >= t.UnixMilli() {
			kept = append(kept, at)
		}
	}
	r.Handshakes = kept
}

// verdict says what is wrong. Calls may fail when their server is killed, but not
// those that could be made again, and no client may wait until that server is back.
func (r *result) verdict(away time.Duration) error {
	slowest, _ := r.waits()
	switch {
	case !r.kill && !r.clean():
		return fmt.Errorf("%s: %s", r.name, &r.Counts)
	case r.kill && r.Lost+r.Duplicated+r.Reordered > 0:
		return fmt.Errorf("%s: %s", r.name, &r.Counts)
	case r.kill && r.Safe > 0:
		return fmt.Errorf("%s: %d calls failed that could be made again", r.name, r.Safe)
	case r.kill && max(slowest, r.Without) >= away.Milliseconds():
		return fmt.Errorf("%s: clients waited until their server was back", r.name)
	case r.Calls == 0:
		return fmt.Errorf("%s: no calls were made, so nothing was shown", r.name)
	}
	return nil
}

// print prints the result of an arrangement in a line or two.
func (r *result) print(out io.Writer) {
	fmt.Fprintf(out, "%s: %s\n", r.name, &r.Counts)
	slowest, inFlight := r.waits()
	fmt.Fprintf(out, "  %d restarts in %.0f s, %d calls; slowest unary call %d ms", r.restarts, r.took.Seconds(), r.Calls, slowest)
	if r.kill {
		fmt.Fprintf(out, ", %d ms if it was under way when its server was killed", inFlight)
	}
	fmt.Fprintf(out, "; longest without a session %d ms; %d handshakes, %d of them refused, at most %d in 100 ms and %d in 1 s\n",
		r.Without, len(r.Handshakes), r.Refused, storm(r.Handshakes, 100*time.Millisecond), storm(r.Handshakes, time.Second))
	r.printFailures(out)
}

// shown is how many failures are printed.
const shown = 10

// printFailures prints the failures that have happened most often.
func (r *result) printFailures(out io.Writer) {
	most := slices.SortedFunc(maps.Keys(r.Failures), func(a, b string) int { return r.Failures[b] - r.Failures[a] })
	for _, what := range most[:min(len(most), shown)] {
		fmt.Fprintf(out, "  %6d %s\n", r.Failures[what], what)
	}
	if len(most) > shown {
		fmt.Fprintf(out, "  and %d other failures\n", len(most)-shown)
	}
}
