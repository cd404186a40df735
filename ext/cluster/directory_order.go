package cluster

import (
	"maps"
	"slices"
	"time"

	clusterv1 "github.com/parley-rpc/parley/ext/cluster/internal/gen/parley/cluster/v1"
)

const (
	claimsPerRound = 400
	claimRound     = 100 * time.Millisecond
	claimPause     = time.Second // before clients are announced once more
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

// handleChange announces all clients again when messages may have been lost, so
// many a second. A loss in the meantime makes them be announced once more.
func (d *directory) handleChange(change BusChange) {
	if !change.Available {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	d.claimAgain = true
	switch {
	case d.claiming:
	case d.claimer == nil:
		d.claimer = time.AfterFunc(0, d.claim)
	default:
		d.claimer.Reset(0)
	}
	d.claiming = true
}

// claim announces some clients again.
func (d *directory) claim() {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return
	}
	if len(d.claims) == 0 {
		if !d.claimAgain {
			d.claiming = false
			d.mu.Unlock()
			return
		}
		d.claimAgain = false
		d.claims = slices.Collect(maps.Keys(d.clients))
	}
	n := min(len(d.claims), claimsPerRound)
	names := d.claims[:n]
	if d.claims = d.claims[n:]; len(d.claims) > 0 {
		d.claimer.Reset(claimRound)
	} else {
		d.claimer.Reset(claimPause)
	}
	d.mu.Unlock()
	for _, name := range names {
		d.claimOne(name)
	}
}

func (d *directory) claimOne(client string) {
	d.mu.Lock()
	c := d.clients[client]
	if c == nil || len(c.sessions) == 0 {
		d.mu.Unlock()
		return
	}
	kind := clusterv1.ClientMessage_KIND_JOIN
	newest := c.newest()
	if newest.announced {
		newest.claimed = true
		kind = clusterv1.ClientMessage_KIND_CLAIM
	}
	session, order, subscribed := newest.name, newest.order, c.sub != nil
	d.mu.Unlock()
	if !subscribed {
		d.subscribe(client, c)
	}
	if d.config.several == Newest {
		d.announce(client, session, kind, order)
	}
}
