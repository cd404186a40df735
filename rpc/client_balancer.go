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
func (c *Client) layLines() {
	if c.balancer != RoundRobin {
		c.lines = []*line{{c: c, urls: c.urls}}
		return
	}
	for i := range c.urls {
		c.lines = append(c.lines, &line{c: c, urls: c.urls[i : i+1]})
	}
}

// turnOf returns the connection of the next line in turn that has one, and has the
// other lines make theirs: a session that stays, or else one whose server goes away. It
// returns an error if every line has failed since the call came.
func (c *Client) turnOf(r *round) (*Conn, error) {
	var stays, leaves, vain *Conn
	var failed error
	waits := false
	for i := range c.lines {
		v := r.see(c.lines[(r.first+i)%len(c.lines)], i)
		switch conn := v.conn; {
		case v.err != nil:
			if failed == nil || hope(v.err) > hope(failed) {
				failed = v.err
			}
		case conn == nil || v.away:
			waits = true
		case conn == r.vain:
			vain = conn
		case v.leaving:
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
	c.hurry()
	if leaves == nil && !waits {
		return vain, nil
	}
	return leaves, nil
}

// hurry has the lines make their connections without the delay that a server that goes
// away has asked for.
func (c *Client) hurry() {
	for _, l := range c.lines {
		l.mu.Lock()
		l.attempt.hurry()
		l.mu.Unlock()
	}
}

// watchLines takes over that a line has changed its state.
func (c *Client) watchLines() {
	c.watch.update(func() State {
		best := StateIdle
		for _, l := range c.lines {
			if s := State(l.shown.Load()); rank[s] > rank[best] {
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
type round struct {
	first  int
	vain   *Conn
	misses []uint64 // of each line, when the call came
}

// see looks at line i of a round.
func (r *round) see(l *line, i int) sight {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := sight{view: l.look(failFast)}
	if v.conn != nil {
		v.away, v.leaving = v.conn.away, v.conn.leaving
	}
	if len(r.misses) == i {
		r.misses = append(r.misses, l.misses)
	}
	if v.err == nil && v.conn == nil && l.misses != r.misses[i] {
		v.err = l.err // it has failed, and is at it again by now
	}
	return v
}

// sight is a view of one line of several.
type sight struct {
	view
	away, leaving bool
}
