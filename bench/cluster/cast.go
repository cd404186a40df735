package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/parley-rpc/parley/bench/internal/proc"
)

// process is a child process, and the address of its server.
type process struct {
	*proc.Child

	name string
	addr string
}

// ask has the process do something.
func (p *process) ask(c command) (answer, error) {
	var a answer
	if err := errors.Join(p.Tell(c), p.Hear(&a)); err != nil {
		return a, fmt.Errorf("%s: %s: %w", p.name, c.Do, err)
	}
	if a.Error != "" {
		return a, fmt.Errorf("%s: %s: %s", p.name, c.Do, a.Error)
	}
	return a, nil
}

// cast is all processes of a measurement.
type cast struct {
	ctx      context.Context
	profiles string
	all      []*process
}

// start starts a process, and waits until it is ready.
func (c *cast) start(name string, j job) (*process, error) {
	child, err := proc.Start(c.ctx, j)
	if err != nil {
		return nil, err
	}
	p := &process{Child: child, name: name}
	c.all = append(c.all, p)
	var ready answer
	if err := p.Hear(&ready); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	p.addr = ready.Address
	return p, nil
}

// end ends all processes, the latest first.
func (c *cast) end() {
	for i := range c.all {
		_ = c.all[len(c.all)-1-i].End() // what failed was told before
	}
	c.all = nil
}

// profiled does something while all processes take CPU profiles, if the plan
// has a folder for them.
func (c *cast) profiled(what string, do func() error) error {
	if c.profiles == "" {
		return do()
	}
	for _, p := range c.all {
		base := filepath.Join(c.profiles, what+"-"+p.name)
		if _, err := p.ask(command{Do: beginProfile, Profile: base}); err != nil {
			return err
		}
	}
	if err := do(); err != nil {
		return err
	}
	for _, p := range c.all {
		if _, err := p.ask(command{Do: endProfile}); err != nil {
			return err
		}
	}
	return nil
}

// nodes starts a NATS server and three nodes.
func (c *cast) nodes() (nats *process, nodes []*process, err error) {
	nats, err = c.start("nats", job{Part: natsPart})
	if err != nil {
		return nil, nil, err
	}
	for _, name := range []string{"a", "b", "c"} {
		n, err := c.start("node-"+name, job{Part: nodePart, Kind: clustered, Name: name, NATS: nats.addr})
		if err != nil {
			return nil, nil, err
		}
		nodes = append(nodes, n)
	}
	return nats, nodes, nil
}

// world starts three nodes with their NATS server, and the process of the
// clients.
func (c *cast) world() (nodes []*process, clients *process, err error) {
	if _, nodes, err = c.nodes(); err != nil {
		return nil, nil, err
	}
	clients, err = c.start("clients", job{Part: clientsPart})
	return nodes, clients, err
}
