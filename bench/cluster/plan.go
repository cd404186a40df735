package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// plan is what to measure.
type plan struct {
	measured time.Duration
	rounds   int
	idle     int
	profiles string
	only     string // empty: everything
}

func (p *plan) check() error {
	switch {
	case p.rounds < 1:
		return errors.New("-rounds must be at least 1")
	case p.measured <= 0:
		return errors.New("-time must be positive")
	case p.idle < 1:
		return errors.New("-clients must be at least 1")
	case p.only != "" && !slices.ContainsFunc(p.parts(), func(part planPart) bool { return part.name == p.only }):
		return fmt.Errorf("-only: there is no part %q", p.only)
	}
	return nil
}

// planPart is a part of the plan.
type planPart struct {
	name string
	do   func(*cast, *figures) error
}

func (p *plan) parts() []planPart {
	return []planPart{{"calls", p.calls}, {"single", p.single}, {"topics", p.topics}, {"idle", p.idling}}
}

// run measures everything.
func (p *plan) run(ctx context.Context, log io.Writer) (*figures, error) {
	f := newFigures(p)
	for _, part := range p.parts() {
		if p.only != "" && p.only != part.name {
			continue
		}
		fmt.Fprintln(log, "measuring", part.name)
		c := &cast{ctx: ctx, profiles: p.profiles}
		err := part.do(c, f)
		c.end()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", part.name, errors.Join(context.Cause(ctx), err))
		}
	}
	return f, nil
}

// calls measures calls to clients on this node, on another, and through a
// relay.
func (p *plan) calls(c *cast, f *figures) error {
	nodes, clients, err := c.world()
	if err != nil {
		return err
	}
	a, b := nodes[0], nodes[1]
	for _, step := range []command{
		{Do: "connect", Client: string(here), Clients: 1, URLs: []string{a.addr}},
		{Do: "connect", Client: string(there), Clients: 1, URLs: []string{b.addr}},
		{Do: "connect", Client: string(relayed), Clients: 1, URLs: []string{a.addr}},
		{Do: "move", Client: string(relayed), Clients: 1, URLs: []string{b.addr}},
	} {
		if _, err := clients.ask(step); err != nil {
			return err
		}
	}
	for range p.rounds {
		for _, client := range []place{here, there, relayed} {
			for _, l := range []load{{1, p.measured}, {64, p.measured}, {0, p.measured}} {
				err := c.profiled(fmt.Sprintf("%s-%d", client, l.Workers), func() error {
					got, err := a.ask(command{Do: "call", Client: string(client), Load: l})
					f.addCalls(client, l.Workers, got.Calls)
					return err
				})
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// single measures a server that uses ext/cluster without a bus, beside one that
// does not use it.
func (p *plan) single(c *cast, f *figures) error {
	clients, err := c.start("clients", job{Part: clientsPart})
	if err != nil {
		return err
	}
	kinds := []nodeKind{plain, alone}
	for _, kind := range kinds {
		server, err := c.start(string(kind), job{Part: nodePart, Kind: kind, Name: string(kind)})
		if err != nil {
			return err
		}
		connect := command{Do: "connect", Client: string(kind), Clients: 1, URLs: []string{server.addr}}
		if _, err := clients.ask(connect); err != nil {
			return err
		}
	}
	for range 9 * p.rounds { // small differences need more rounds
		for _, kind := range kinds {
			got, err := clients.ask(command{Do: "call", Client: string(kind), Load: load{64, p.measured / 3}})
			if err != nil {
				return err
			}
			f.add("single", string(kind), got.Calls.PerSecond)
		}
	}
	return nil
}

const (
	subscribers = 300
	// The rates of messages published are raised by steps until messages are
	// dropped, or arrive late.
	firstRate = 400
	raise     = 1.2
	lastRate  = 5000
	// half is the rate at which the latency is measured: 100,000 deliveries/s.
	half = 100_000.0 / subscribers
)

// topics measures a topic with subscribers on three nodes.
func (p *plan) topics(c *cast, f *figures) error {
	nodes, clients, err := c.world()
	if err != nil {
		return err
	}
	t := topicRun{c: c, clients: clients, publisher: nodes[0], length: 2 * p.measured}
	connect := command{Do: "connect", Client: "subscriber", Clients: subscribers}
	for _, n := range nodes {
		connect.URLs = append(connect.URLs, n.addr)
	}
	for _, step := range []command{connect, {Do: "subscribe"}} {
		if _, err := clients.ask(step); err != nil {
			return err
		}
	}
	if err := t.settle(); err != nil {
		return err
	}
	for range p.rounds {
		if err := t.round(f); err != nil {
			return err
		}
	}
	return nil
}

// topicRun is a topic with its subscribers.
type topicRun struct {
	c         *cast
	clients   *process
	publisher *process
	length    time.Duration
	number    uint64 // of the next message
}

// settle waits until all nodes get what is published.
func (t *topicRun) settle() error {
	for range 20 {
		got, err := t.publish(100, 100*time.Millisecond)
		if err != nil || got.Delivered > 0 && got.Delivered%subscribers == 0 && got.Hidden == 0 {
			return err
		}
	}
	return errors.New("not all subscribers get what is published")
}

// round measures the latency at half of the bar, and then the highest rate.
func (t *topicRun) round(f *figures) error {
	got, err := t.publish(half, t.length)
	if err != nil {
		return err
	}
	f.addFanOut(got)
	best := 0.0
	for r := float64(firstRate); r < lastRate; r *= raise {
		began := time.Now()
		got, err := t.publish(r, t.length)
		if err != nil {
			return err
		}
		f.add("fan-out", "hidden", float64(got.Hidden))
		if got.Told > 0 || got.Hidden > 0 {
			break
		}
		perSecond := float64(got.Delivered) / time.Since(began).Seconds()
		if perSecond < best {
			break
		}
		best = perSecond
	}
	f.add("fan-out", "deliveries", best)
	return nil
}

// publish publishes at a rate, and returns what the subscribers got.
func (t *topicRun) publish(perSecond float64, length time.Duration) (got fanOut, err error) {
	err = t.c.profiled(fmt.Sprintf("publish-%.0f", perSecond), func() error {
		sent, err := t.publisher.ask(command{Do: "publish", Rate: perSecond, Number: t.number, For: length})
		if err != nil {
			return err
		}
		t.number += sent.Number
		received, err := t.clients.ask(command{Do: "collect", Number: sent.Number})
		got = received.Fan
		return err
	})
	return got, err
}
