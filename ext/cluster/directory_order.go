package cluster

import (
	clusterv1 "github.com/parley-rpc/parley/ext/cluster/internal/gen/parley/cluster/v1"
)

// handle gets what is published to the subject of a client of this node.
func (d *directory) handle(client string, message BusMessage) {
	m, err := parseClientMessage(message.Data)
	if err != nil {
		d.config.log.Warn("a message is ignored", "err", err)
		return
	}
	switch {
	case m.client != client:
	case m.kind == clusterv1.ClientMessage_KIND_LOOKUP:
		d.answer(client, message)
	case m.node == d.config.self.ID || d.config.several == All:
	case m.kind == clusterv1.ClientMessage_KIND_JOIN, m.kind == clusterv1.ClientMessage_KIND_CLAIM, m.kind == clusterv1.ClientMessage_KIND_HELD:
		d.contest(m)
	}
}

func (d *directory) answer(client string, message BusMessage) {
	if message.Reply == nil {
		return
	}
	data, err := marshalPresences(d.local(client))
	if err == nil {
		err = message.Reply(data)
	}
	if err != nil {
		d.config.log.Debug("a lookup was not answered", "err", err)
	}
}

// contest decides whether this node keeps a client that another node has, too.
// Clocks may be wrong, so a join does not win by its time alone:
//
//   - A node that hears a join of higher order yields.
//   - A node that hears one of lower order says that it holds the client. The
//     node that has joined yet holds it did not hear this one's join, which was
//     therefore first. So it joins again, with an order higher still.
//   - A node that may have missed joins does not join but claims, and yields to
//     each higher order.
//
// For two joins at the same moment both nodes hear both, so that the lower one
// yields before it hears that the client is held.
func (d *directory) contest(m clientMessage) {
	d.mu.Lock()
	c := d.clients[m.client]
	if c == nil || len(c.sessions) == 0 {
		d.mu.Unlock()
		return
	}
	newest := c.newest()
	var sub BusSubscription
	kind := clusterv1.ClientMessage_KIND_HELD
	switch higher := compareOrders(m.order, m.node, newest.order, d.config.self.ID) > 0; {
	case !higher:
	case m.kind == clusterv1.ClientMessage_KIND_HELD && !newest.claimed:
		newest.order = m.order + 1
		kind = clusterv1.ClientMessage_KIND_JOIN
	default:
		kind = clusterv1.ClientMessage_KIND_UNSPECIFIED
		d.replaceAll(m.client, c)
		sub = d.dropEmpty(m.client, c)
	}
	order := newest.order
	d.mu.Unlock()
	closeSubscription(sub)
	if kind != clusterv1.ClientMessage_KIND_UNSPECIFIED {
		d.publish(m.client, kind, order)
	}
	d.replaced.deliver()
}
