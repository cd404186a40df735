package rpc

import "context"

// Balancer is how the calls of a client are spread over several URLs.
type Balancer int

const (
	// PickFirst makes all calls on one connection: to the first URL, or, if that
	// does not answer, to the next. When the connection has ended it begins with the
	// first again.
	PickFirst Balancer = iota
	// RoundRobin has a connection to each URL and makes calls on those that are
	// there in turn. The first call connects to all.
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

// pick returns the connection for a call. One that waits does so until there is
// one, unless the server refuses this client. A connection that is in vain is
// not returned while there is another line.
func (c *Client) pick(ctx context.Context, p patience, vain *Conn) (*Conn, error) {
	if len(c.lines) == 1 {
		return c.lines[0].get(ctx, p)
	}
	first := int(c.turn.Add(1))
	for {
		_, changed := c.watch.get()
		conn := c.ready(first, vain)
		if conn != nil {
			return conn, nil
		}
		var err error
		for i := range c.lines {
			if conn, err = c.lines[(first+i)%len(c.lines)].get(ctx, failFast); err == nil {
				return conn, nil
			}
		}
		if p == failFast || !passes(err) || ctx.Err() != nil {
			return nil, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// ready returns the next connection in turn that is there, and has the others made.
func (c *Client) ready(first int, vain *Conn) (found *Conn) {
	var resuming *Conn
	for i := range c.lines {
		l := c.lines[(first+i)%len(c.lines)]
		l.mu.Lock()
		conn, _, _ := l.look(failFast)
		switch {
		case conn == nil, conn == vain, !conn.usable():
		case l.state == StateResuming:
			resuming = conn
		case found == nil:
			found = conn
		}
		l.mu.Unlock()
	}
	if found == nil {
		return resuming
	}
	return found
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
