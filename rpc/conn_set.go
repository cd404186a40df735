package rpc

import (
	"sync"

	"github.com/parley-rpc/parley/transport"
)

// connSet is the connections of an endpoint, and whether it takes new ones.
type connSet struct {
	mu       sync.Mutex
	all      map[*Conn]struct{}
	draining bool                  // no new connections
	closing  *transport.CloseError // how this end was closed; nil: it is open
}

// add adds a connection that has not ended. If the set is closed, it returns
// how.
func (s *connSet) add(c *Conn) (closing *transport.CloseError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing == nil && c.sess.Err() == nil {
		if s.all == nil {
			s.all = make(map[*Conn]struct{})
		}
		s.all[c] = struct{}{}
	}
	return s.closing
}

func (s *connSet) remove(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, c)
}

func (s *connSet) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// snapshot returns the connections that exist.
func (s *connSet) snapshot() []*Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list()
}

// drain stops new connections and returns those that exist.
func (s *connSet) drain() []*Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining = true
	return s.list()
}

func (s *connSet) isDraining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.draining
}

// close closes the set, unless it is closed, and returns the connections that
// exist.
func (s *connSet) close(how *transport.CloseError) []*Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing == nil {
		s.closing = how
	}
	return s.list()
}

func (s *connSet) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing != nil
}

// list returns the connections; mu is held.
func (s *connSet) list() []*Conn {
	conns := make([]*Conn, 0, len(s.all))
	for c := range s.all {
		conns = append(conns, c)
	}
	return conns
}
