package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/tests/internal/balancer"
	"github.com/parley-rpc/parley/tests/internal/faulty"
	"github.com/parley-rpc/parley/tests/internal/notes"
	"github.com/parley-rpc/parley/tests/internal/port"
)

// world is everything that a scenario has: NATS, servers, a balancer, clients.
type world struct {
	*settings
	fleet   *fleet
	front   *balancer.Process
	links   *faulty.Proxy // between the clients and the balancer
	clients *clients

	left []string // clients that have left for good
	result
}

// build starts everything, and the load.
func (s *settings) build(ctx context.Context) (w *world, err error) {
	w = &world{settings: s}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.fleet, err = s.start(); err != nil {
		return w, err
	}
	addr, err := port.Free(s.rand)
	if err != nil {
		return w, err
	}
	var addrs []string
	for _, p := range w.fleet.places {
		addrs = append(addrs, p.config.Addr)
	}
	if w.front, err = s.balancer.Start(ctx, addr, "", addrs); err != nil {
		return w, err
	}
	if w.links, err = faulty.Listen(w.front.Addr, s.seed, 1<<16); err != nil {
		return w, err
	}
	w.clients = newClients(w.links.Addr())
	for n := range s.clients {
		if err := w.clients.join(ctx, clientName(n)); err != nil {
			return w, err
		}
	}
	if _, err := w.right(ctx); err != nil {
		return w, err
	}
	for _, p := range w.fleet.places {
		if err := p.begin(); err != nil {
			return w, err
		}
	}
	for _, m := range w.clients.all {
		w.clients.begin(m, s.pace, s.count)
	}
	return w, nil
}

// poll is how often views are compared with the truth.
const poll = 50 * time.Millisecond

// mostWrong is how long the directory may be wrong before a scenario gives up.
const mostWrong = 20 * time.Second

// right waits until every server that runs knows where all clients are, and
// returns how long that took.
func (w *world) right(ctx context.Context) (took time.Duration, err error) {
	start := time.Now()
	for {
		wrong, _, err := w.compare()
		if took = time.Since(start); err != nil || len(wrong) == 0 {
			return took, err
		}
		if took > mostWrong {
			return took, fmt.Errorf("after %v the directory is wrong: %s", took, strings.Join(wrong[:min(3, len(wrong))], "; "))
		}
		if err := notes.Pause(ctx, poll); err != nil {
			return took, err
		}
	}
}

// compare compares the views of the servers with the truth.
func (w *world) compare() (wrong []string, ghosts int, err error) {
	before := w.clients.truth()
	views, err := w.fleet.views(slices.Concat(slices.Sorted(maps.Keys(before)), w.left))
	if err != nil {
		return nil, 0, err
	}
	if !maps.Equal(before, w.clients.truth()) {
		return []string{"clients have moved"}, 0, nil
	}
	owner := make(map[string]string)
	for _, v := range views {
		for _, session := range v.Sessions {
			owner[session] = v.Node
		}
	}
	for _, v := range views {
		for _, d := range before.differences(v, owner) {
			wrong = append(wrong, v.Node+": "+d)
		}
		ghosts += before.ghosts(v, owner)
	}
	return wrong, ghosts, nil
}

// at returns the clients whose sessions a server has.
func (w *world) at(p *place) (map[string]bool, error) {
	var v view
	if _, err := p.ask("view", &v); err != nil {
		return nil, err
	}
	found := make(map[string]bool)
	for client, session := range w.clients.truth() {
		if slices.Contains(v.Sessions, session) {
			found[client] = true
		}
	}
	return found, nil
}

// visit makes a client connect.
func (w *world) visit(ctx context.Context, name string) error {
	return w.clients.join(ctx, name)
}

// depart makes a client leave for good.
func (w *world) depart(name string) error {
	w.left = append(w.left, name)
	return w.clients.leave(name)
}

// finish ends the load and counts.
func (w *world) finish(ctx context.Context) error {
	w.clients.rest()
	if err := w.fleet.rest(); err != nil {
		return err
	}
	w.topics = w.clients.settle(ctx, w.fleet.sent)
	_, ghosts, err := w.compare()
	if err != nil {
		return err
	}
	w.ghosts += ghosts
	for _, name := range w.left {
		for _, p := range w.fleet.places {
			var a answer
			if _, err := p.ask("ask "+name, &a); err != nil {
				return err
			}
			if a.Lookup != rpc.CodeNotFound || a.Call != rpc.CodeNotFound {
				w.ghosts++
				w.notes = append(w.notes, fmt.Sprintf("%s says of %s, which has left: %+v", p.config.Name, name, a))
			}
		}
	}
	w.lost = int(w.clients.lost.Load())
	w.report.Merge(w.clients.book.Report())
	if err := w.clients.close(); err != nil {
		return err
	}
	if err := w.fleet.end(); err != nil {
		return err
	}
	w.report.Merge(&w.fleet.sum)
	w.report.Settle()
	return nil
}

// close ends everything.
func (w *world) close() error {
	var errs []error
	if w.clients != nil {
		errs = append(errs, w.clients.close())
	}
	if w.links != nil {
		w.links.Close()
	}
	if w.front != nil {
		errs = append(errs, w.front.Stop())
	}
	if w.fleet != nil {
		errs = append(errs, w.fleet.end())
	}
	return errors.Join(errs...)
}
