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
	return p.rest(nats, f)
}

// crowd connects all clients to the servers in turn, and returns how many bytes
// of memory each process needs per client.
func (p *plan) crowd(c *cast, all []*process) (cost []float64, err error) {
	clients, err := c.start("clients", job{Part: clientsPart})
	if err != nil {
		return nil, err
	}
	connect := command{Do: "connect", Client: "idle", Clients: p.idle}
	var before []answer
	for _, process := range all {
		a, err := process.ask(command{Do: "look"})
		if err != nil {
			return nil, err
		}
		before = append(before, a)
		if process.name != "nats" {
			connect.URLs = append(connect.URLs, process.addr)
		}
	}
	if _, err := clients.ask(connect); err != nil {
		return nil, err
	}
	time.Sleep(2 * p.measured) // until what the handshakes needed is free
	for i, process := range all {
		a, err := process.ask(command{Do: "look"})
		if err != nil {
			return nil, err
		}
		grown := a.Usage.Heap + a.Usage.Stacks - before[i].Usage.Heap - before[i].Usage.Stacks
		cost = append(cost, float64(grown)/float64(p.idle))
	}
	return cost, nil
}

// rest measures how many messages NATS carries while nothing happens.
func (p *plan) rest(nats *process, f *figures) error {
	before, err := nats.ask(command{Do: "look"})
	if err != nil {
		return err
	}
	began := time.Now()
	time.Sleep(5 * p.measured)
	after, err := nats.ask(command{Do: "look"})
	if err != nil {
		return err
	}
	f.add("idle", "messages", float64(after.Messages-before.Messages)/time.Since(began).Seconds())
	return nil
}
