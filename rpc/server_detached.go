package rpc

import (
	"container/list"
	"fmt"
	"sync"

	"github.com/parley-rpc/parley/transport"
)

// detachedConns are the connections of a server that have lost their link, by the address
// that it was counted for. transport.Sessions bounds them all together.
type detachedConns struct {
	counts bool // there is a bound for an address

	mu        sync.Mutex // before the session's
	byAddress map[string]*list.List
	place     map[*Conn]detachedConn
}

// detachedConn is where a connection is in the list of its address, of *transport.Session,
// the longest detached first.
type detachedConn struct {
	addr string
	at   *list.Element
}

// add enters a connection whose session has lost its link, unless it has another by now.
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

// remove forgets a connection that has a link again, or has ended.
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

// excess returns the sessions of an address that are too many, if there may be so many.
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

// endDetached ends connections without a link where there are too many with that which has
// just begun. Links alone are bounded by the admission.
func (s *Server) endDetached(c *Conn) {
	addr := c.link.Load().addr
	s.sessions.Shrink(max(s.limits.MaxConnections-s.admission.count(), 0))
	most := s.limits.MaxConnectionsPerAddress
	if most == 0 {
		return
	}
	for _, sess := range s.detached.excess(addr, most-s.admission.countOf(addr)) {
		sess.Evict(fmt.Sprintf("more than %d connections of its address", most)) // which removes it
	}
}
