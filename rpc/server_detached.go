package rpc

import (
	"container/list"
	"fmt"
	"sync"

	"github.com/parley-rpc/parley/transport"
)

// detachedConns are the detached connections of a server, by the address for
// which their last link counted. transport.Sessions bounds all of them
// together.
type detachedConns struct {
	counts bool // there is a limit per address

	mu        sync.Mutex // taken before the session's
	byAddress map[string]*list.List
	place     map[*Conn]detachedConn
}

// detachedConn is the place of a connection in the list of its address. The
// list contains *transport.Session, the longest detached first.
type detachedConn struct {
	addr string
	at   *list.Element
}

// add adds a connection whose session is detached, unless it has been resumed
// meanwhile.
func (d *detachedConns) add(c *Conn, s *transport.Session) {
	if !d.counts {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, known := d.place[c]; known || !s.Detached() {
		return
	}
	if d.place == nil {
		d.place, d.byAddress = make(map[*Conn]detachedConn), make(map[string]*list.List)
	}
	addr := c.link.Load().addr
	if d.byAddress[addr] == nil {
		d.byAddress[addr] = list.New()
	}
	d.place[c] = detachedConn{addr, d.byAddress[addr].PushBack(s)}
}

// remove removes a connection that was resumed or has ended.
func (d *detachedConns) remove(c *Conn) {
	if !d.counts {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	at, known := d.place[c]
	if !known {
		return
	}
	delete(d.place, c)
	sessions := d.byAddress[at.addr]
	if sessions.Remove(at.at); sessions.Len() == 0 {
		delete(d.byAddress, at.addr)
	}
}

// excess returns the sessions of an address beyond max, the oldest first.
func (d *detachedConns) excess(addr string, most int) (sessions []*transport.Session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := d.byAddress[addr]
	if all == nil {
		return nil
	}
	at := all.Front()
	for range all.Len() - max(most, 0) {
		sessions = append(sessions, at.Value.(*transport.Session))
		at = at.Next()
	}
	return sessions
}

// endDetached ends detached connections that exceed the limits together with a
// new one. The admission bounds links.
func (s *Server) endDetached(c *Conn) {
	addr := c.link.Load().addr
	s.sessions.Shrink(max(s.limits.MaxConnections-s.admission.count(), 0))
	most := s.limits.MaxConnectionsPerAddress
	if most == 0 {
		return
	}
	for _, sess := range s.detached.excess(addr, most-s.admission.countOf(addr)) {
		sess.Evict(fmt.Sprintf("more than %d connections from its address", most)) // Evict removes it
	}
}
