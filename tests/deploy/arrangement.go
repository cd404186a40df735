package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/tests/internal/balancer"
	"github.com/parley-rpc/parley/tests/internal/notes"
	"github.com/parley-rpc/parley/tests/internal/port"
)

// arrangement is how clients reach the servers, and how servers end.
type arrangement struct {
	name     string
	nginx    bool
	balance  string // a directive of nginx
	balancer rpc.Balancer
	kill     bool
	cut      bool // links are cut all the time
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

// result is the result of an arrangement.
type result struct {
	*arrangement
	notes.Report
	restarts int
	kills    []kill
	took     time.Duration
}

// run runs an arrangement.
func (s *settings) run(ctx context.Context, a *arrangement) (r *result, err error) {
	f, err := s.start()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.end()) }()
	front, err := s.front(ctx, a, f)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, front.stop()) }()
	goClients, err := s.connect(ctx, a, front.urls)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, goClients.close()) }()
	nodes, err := s.spawn(a, front.urls)
	if err != nil {
		return nil, err
	}
	defer nodes.close()

	began := time.Now()
	front.begin()
	r = &result{arrangement: a}
	if r.restarts, err = s.deploy(ctx, a, f); err != nil {
		return nil, err
	}
	if err := f.rest(); err != nil {
		return nil, err
	}
	r.took, r.kills = time.Since(began), f.kills
	r.Merge(goClients.finish())
	of, err := nodes.finish()
	r.Merge(of)
	if err = errors.Join(err, goClients.close(), f.end()); err != nil {
		return nil, err
	}
	r.Merge(&f.sum)
	since(&r.Report, began)
	r.Settle()
	return r, nil
}

// front is the address that clients connect to.
type front struct {
	urls  []string
	begin func()       // called when the clients are connected
	stop  func() error // called at the end
}

// front starts what is in front of the servers, if anything.
func (s *settings) front(ctx context.Context, a *arrangement, f *fleet) (*front, error) {
	switch {
	case a.nginx:
		addr, err := port.Free(s.rand)
		if err != nil {
			return nil, err
		}
		n, err := balancer.Nginx.Start(ctx, addr, a.balance, f.addrs)
		if err != nil {
			return nil, err
		}
		return &front{urls(n.Addr), func() {}, n.Stop}, nil
	case a.cut:
		c, err := newCutter(s.seed, f.addrs)
		if err != nil {
			return nil, err
		}
		return &front{c.urls(), c.begin, c.stop}, nil
	}
	return &front{urls(f.addrs...), func() {}, func() error { return nil }}, nil
}

// deploy restarts all servers in each round, one after another. If servers are
// killed, it is one in each round.
func (s *settings) deploy(ctx context.Context, a *arrangement, f *fleet) (n int, err error) {
	for round := range s.rounds {
		for i := range servers {
			if a.kill && i != round%servers {
				continue
			}
			if err := notes.Pause(ctx, s.pauses); err != nil {
				return n, context.Cause(ctx)
			}
			if a.kill {
				err = f.kill(ctx, i, s.down)
			} else {
				err = f.restart(i)
			}
			if err != nil {
				return n, fmt.Errorf("server %d: %w", i, err)
			}
			n++
		}
	}
	return n, notes.Pause(ctx, s.pauses)
}
