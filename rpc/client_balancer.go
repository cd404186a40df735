package rpc

// Balancer is how the calls of a client are spread over several URLs.
type Balancer int

const (
	// PickFirst makes all calls on one connection: to the first URL, or, if that
	// does not answer within a second, to the next. When the connection has ended it begins with the
	// first again. When the server goes away, the others come before it.
	PickFirst Balancer = iota
	// RoundRobin has a connection to each URL and makes calls in turn on those that
	// are there. The first call connects to all. When a server goes away, the others
	// take its calls, and its URL is tried again later.
	RoundRobin
)

// layLines makes the lines that the balancer needs.
func (c *Client) makeSubConns() {
	if c.balancer != RoundRobin {
		c.subConns = []*subConn{{c: c, urls: c.urls}}
		return
	}
	for i := range c.urls {
		c.subConns = append(c.subConns, &subConn{c: c, urls: c.urls[i : i+1]})
	}
}

// turnOf returns the connection of the next line in turn that has one, and has the
// other lines make theirs: a session that stays, or else one whose server goes away. It
// returns an error if every line has failed since the call came.
func (c *Client) nextConn(r *pickRound) (*Conn, error) {
	var stays, leaves, vain *Conn
	var failed error
	waits := false
	for i := range c.subConns {
		v := r.look(c.subConns[(r.first+i)%len(c.subConns)], i)
		switch conn := v.conn; {
		case v.err != nil:
			if failed == nil || errorRank(v.err) > errorRank(failed) {
				failed = v.err
			}
		case conn == nil || v.detached:
			waits = true
		case conn == r.failedConn:
			vain = conn
		case v.draining:
			leaves = conn
		case stays == nil:
			stays = conn
		}
	}
	switch {
	case stays != nil:
		return stays, nil
	case leaves == nil && !waits && vain == nil:
		return nil, failed
	}
	c.expediteDials()
	if leaves == nil && !waits {
		return vain, nil
	}
	return leaves, nil
}

// hurry has the lines make their connections without the delay that a server that goes
// away has asked for.
func (c *Client) expediteDials() {
	for _, l := range c.subConns {
		l.mu.Lock()
		l.dialAttempt.expedite()
		l.mu.Unlock()
	}
}

// watchLines takes over that a line has changed its state.
func (c *Client) updateState() {
	c.watch.update(func() State {
		best := StateIdle
		for _, l := range c.subConns {
			if s := State(l.publicState.Load()); rank[s] > rank[best] {
				best = s
			}
		}
		return best
	})
}

// rank orders states by how near they are to Ready. A client that is closed is
// that, whatever its connections still do.
var rank = [...]int{
	StateIdle: 0, StateTransientFailure: 1, StateConnecting: 2, StateResuming: 3, StateReady: 4, StateShutdown: 5,
}

// round is what one call has seen of the lines.
type pickRound struct {
	first       int
	failedConn  *Conn
	failedDials []uint64 // of each line, when the call came
}

// see looks at line i of a round.
func (r *pickRound) look(l *subConn, i int) subConnView {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := subConnView{view: l.lookup(failFast)}
	if v.conn != nil {
		v.detached, v.draining = v.conn.client.detached, v.conn.client.draining
	}
	if len(r.failedDials) == i {
		r.failedDials = append(r.failedDials, l.failedDials)
	}
	if v.err == nil && v.conn == nil && l.failedDials != r.failedDials[i] {
		v.err = l.err // it has failed, and is at it again by now
	}
	return v
}

// sight is a view of one line of several.
type subConnView struct {
	view
	detached, draining bool
}
