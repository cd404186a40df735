package rpc

// Balancer is how a client spreads its calls over several URLs.
type Balancer int

const (
	// PickFirst makes all calls on one connection: to the first URL or, if it
	// does not answer within a second, to the next. When the connection has
	// ended it starts with the first URL again. When the server goes away, the
	// other URLs are tried first.
	PickFirst Balancer = iota
	// RoundRobin keeps a connection to each URL and makes calls on them in
	// turn. The first call connects to all. When a server goes away, the others
	// take its calls, and its URL is tried again later.
	RoundRobin
)

// makeSubConns makes the subConns that the balancer needs.
func (c *Client) makeSubConns() {
	if c.balancer != RoundRobin {
		c.subConns = []*subConn{{c: c, urls: c.urls}}
		return
	}
	for i := range c.urls {
		c.subConns = append(c.subConns, &subConn{c: c, urls: c.urls[i : i+1]})
	}
}

// nextConn returns the connection of the next subConn in turn, and lets the
// others connect. It prefers a session that stays to one whose server goes
// away. It returns an error if every subConn has failed since the call came.
func (c *Client) nextConn(r *pickRound) (*Conn, error) {
	var stable, draining, avoided *Conn
	var failed error
	pending := false
	for i := range c.subConns {
		v := r.look(c.subConns[(r.first+i)%len(c.subConns)], i)
		switch conn := v.conn; {
		case v.err != nil:
			if failed == nil || errorRank(v.err) > errorRank(failed) {
				failed = v.err
			}
		case conn == nil || v.detached:
			pending = true
		case conn == r.failedConn:
			avoided = conn
		case v.draining:
			draining = conn
		case stable == nil:
			stable = conn
		}
	}
	switch {
	case stable != nil:
		return stable, nil
	case draining == nil && !pending && avoided == nil:
		return nil, failed
	}
	c.expediteDials()
	if draining == nil && !pending {
		return avoided, nil
	}
	return draining, nil
}

// expediteDials makes the subConns dial without the delay that a departing
// server has asked for.
func (c *Client) expediteDials() {
	for _, sc := range c.subConns {
		sc.mu.Lock()
		sc.dialAttempt.expedite()
		sc.mu.Unlock()
	}
}

// updateState updates the client's state after a subConn has changed.
func (c *Client) updateState() {
	c.watch.update(func() State {
		best := StateIdle
		for _, sc := range c.subConns {
			if s := State(sc.publicState.Load()); rank[s] > rank[best] {
				best = s
			}
		}
		return best
	})
}

// rank orders states by how near they are to Ready. A closed client is in
// StateShutdown whatever the state of its connections.
var rank = [...]int{
	StateIdle: 0, StateTransientFailure: 1, StateConnecting: 2, StateResuming: 3, StateReady: 4, StateShutdown: 5,
}

// pickRound is what one call has seen of the subConns.
type pickRound struct {
	first       int
	failedConn  *Conn
	failedDials []uint64 // of each subConn, when the call came
}

// look looks at subConn i of a round.
func (r *pickRound) look(sc *subConn, i int) subConnView {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	v := subConnView{view: sc.lookup(failFast)}
	if v.conn != nil {
		v.detached, v.draining = v.conn.client.detached, v.conn.client.draining
	}
	if len(r.failedDials) == i {
		r.failedDials = append(r.failedDials, sc.failedDials)
	}
	if v.err == nil && v.conn == nil && sc.failedDials != r.failedDials[i] {
		v.err = sc.err // it has failed, and dials again
	}
	return v
}

// subConnView is a view of one of several subConns.
type subConnView struct {
	view
	detached, draining bool
}
