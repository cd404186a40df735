package cluster

import (
	"cmp"
	"slices"
	"strings"
	"time"

	clusterv1 "github.com/parley-rpc/parley/ext/cluster/internal/gen/parley/cluster/v1"
)

const (
	claimsPerRound = 1000
	claimRound     = 100 * time.Millisecond
	claimPause     = time.Second // before clients are announced once more
)

// claims are the clients of a directory whose joins are announced again, as
// messages to their subjects may have been lost. The mu of the directory guards
// them.
type claims struct {
	queue []string
	timer *time.Timer
	set   bool                // the timer is set
	all   bool                // after the queue, all clients
	lost  map[string]struct{} // after the queue, the clients with these subjects
}

// start makes f run with what is due, unless the timer is set: then it does so
// later.
func (c *claims) start(f func()) {
	switch {
	case c.set:
		return
	case c.timer == nil:
		c.timer = time.AfterFunc(0, f)
	default:
		c.timer.Reset(0)
	}
	c.set = true
}

// stop forgets what is queued: the bus does not work.
func (c *claims) stop() {
	c.queue = nil
	if c.timer != nil {
		c.timer.Stop()
		c.set = false
	}
}

// handleChange announces clients again when messages to their subjects may have
// been lost, so many a second. A loss in the meantime makes them be announced
// once more.
func (d *directory) handleChange(change BusChange) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.closed:
	case !change.Available:
		d.claims.stop()
		d.claims.all = true // when the bus is back
	case !change.lostOnly():
		d.claims.all = true
		d.claims.start(d.claim)
	default:
		for _, subject := range change.LostSubjects {
			if strings.HasPrefix(subject, d.config.prefix+clientToken) {
				d.claims.lost[subject] = struct{}{}
				d.claims.start(d.claim)
			}
		}
	}
}

// claim announces some clients again.
func (d *directory) claim() {
	d.mu.Lock()
	c := &d.claims
	if d.closed || !c.set {
		d.mu.Unlock()
		return
	}
	if len(c.queue) == 0 {
		if !c.all && len(c.lost) == 0 {
			c.set = false
			d.mu.Unlock()
			return
		}
		c.queue = d.toClaim()
		c.all = false
		clear(c.lost)
	}
	n := min(len(c.queue), claimsPerRound)
	names := c.queue[:n]
	if c.queue = c.queue[n:]; len(c.queue) > 0 {
		c.timer.Reset(claimRound)
	} else {
		c.timer.Reset(claimPause)
	}
	d.mu.Unlock()
	for _, name := range names {
		d.claimOne(name)
	}
}

// toClaim returns the clients that are to be claimed. Those come first that may
// well be at another node: their join was not announced, their link is lost, or
// they have joined not long ago.
func (d *directory) toClaim() []string {
	type candidate struct {
		client string
		rank   int
		order  uint64
	}
	found := make([]candidate, 0, len(d.clients))
	for client, c := range d.clients {
		if len(c.sessions) == 0 {
			continue
		}
		if !d.claims.all {
			if _, lost := d.claims.lost[clientSubject(d.config.prefix, client)]; !lost {
				continue
			}
		}
		newest := c.newest()
		rank := 2
		switch {
		case !newest.announced:
			rank = 0
		case newest.detached:
			rank = 1
		}
		found = append(found, candidate{client, rank, newest.order})
	}
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(b.order, a.order))
	})
	names := make([]string, len(found))
	for i, f := range found {
		names[i] = f.client
	}
	return names
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
