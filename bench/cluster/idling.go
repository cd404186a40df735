package main

import "time"

// idling measures what an idle client costs a server without ext/cluster, and
// then three nodes and NATS.
func (p *plan) idling(c *cast, f *figures) error {
	server, err := c.start("plain", job{Part: nodePart, Kind: plain})
	if err != nil {
		return err
	}
	cost, err := p.crowd(c, []*process{server})
	if err != nil {
		return err
	}
	f.add("idle", "plain", cost[0])
	c.end()

	nats, nodes, err := c.nodes()
	if err != nil {
		return err
	}
	cost, err = p.crowd(c, append(nodes, nats))
	if err != nil {
		return err
	}
	f.add("idle", "clustered", cost[0]+cost[1]+cost[2])
	f.add("idle", "nats", cost[3])
	if err := p.rest(nats, f); err != nil {
		return err
	}
	c.end()
	return p.relays(c, f)
}

// relays measures what an idle client costs the owner of its session, and the
// node that its link has come back to.
func (p *plan) relays(c *cast, f *figures) error {
	nodes, clients, err := c.world()
	if err != nil {
		return err
	}
	owner, entry := nodes[0], nodes[1]
	move := command{Do: "move", Client: "idle", Clients: p.idle, URLs: []string{entry.addr}}
	grown, err := p.growth(func() error {
		if _, err := clients.ask(command{Do: "connect", Client: "idle", Clients: p.idle, URLs: []string{owner.addr}}); err != nil {
			return err
		}
		_, err := clients.ask(move)
		return err
	}, owner, entry)
	if err != nil {
		return err
	}
	f.add("idle", "owner", grown[0])
	f.add("idle", "entry", grown[1])
	return nil
}

// crowd connects all clients to the servers in turn, and returns how many bytes
// of memory each process needs per client.
func (p *plan) crowd(c *cast, all []*process) (cost []float64, err error) {
	clients, err := c.start("clients", job{Part: clientsPart})
	if err != nil {
		return nil, err
	}
	connect := command{Do: "connect", Client: "idle", Clients: p.idle}
	for _, process := range all {
		if process.name != "nats" {
			connect.URLs = append(connect.URLs, process.addr)
		}
	}
	return p.growth(func() error {
		_, err := clients.ask(connect)
		return err
	}, all...)
}

// growth does something with all idle clients, and returns how many bytes of
// memory each process needs more then, per client.
func (p *plan) growth(do func() error, all ...*process) (grown []float64, err error) {
	for _, process := range all {
		a, err := process.ask(command{Do: "look"})
		if err != nil {
			return nil, err
		}
		grown = append(grown, -float64(a.Usage.Heap+a.Usage.Stacks)/float64(p.idle))
	}
	if err := do(); err != nil {
		return nil, err
	}
	time.Sleep(2 * p.measured) // until what the handshakes needed is free
	for i, process := range all {
		a, err := process.ask(command{Do: "look"})
		if err != nil {
			return nil, err
		}
		grown[i] += float64(a.Usage.Heap+a.Usage.Stacks) / float64(p.idle)
	}
	return grown, nil
}

// leastRest is enough for several heartbeats of each node.
const leastRest = 2 * time.Second

// rest measures how many messages NATS carries while nothing happens.
func (p *plan) rest(nats *process, f *figures) error {
	before, err := nats.ask(command{Do: "look"})
	if err != nil {
		return err
	}
	began := time.Now()
	time.Sleep(max(5*p.measured, leastRest))
	after, err := nats.ask(command{Do: "look"})
	if err != nil {
		return err
	}
	f.add("idle", "messages", float64(after.Messages-before.Messages)/time.Since(began).Seconds())
	return nil
}
