package ws

import (
	fifo "container/list"
	"net"

	"github.com/parley-rpc/parley/internal/hostkey"
)

// unserved is the accepted connections that wait to be served, by host. Hosts
// take turns.
type unserved struct {
	len    int
	byHost map[string]*hostQueue
	order  fifo.List // of *hostQueue; the first has the next turn
}

// hostQueue is the connections of a host that wait, the oldest first.
type hostQueue struct {
	host  string
	place *fifo.Element // in unserved.order
	conns fifo.List     // of net.Conn
}

func (u *unserved) add(c net.Conn) {
	host := hostkey.OfAddrPort(c.RemoteAddr().String())
	q := u.byHost[host]
	if q == nil {
		q = &hostQueue{host: host}
		q.place = u.order.PushBack(q)
		u.byHost[host] = q
	}
	q.conns.PushBack(c)
	u.len++
}

// next takes out the oldest connection of the host whose turn it is, nil if there
// is none.
func (u *unserved) next() net.Conn {
	front := u.order.Front()
	if front == nil {
		return nil
	}
	u.order.MoveToBack(front)
	q := front.Value.(*hostQueue)
	return u.remove(q, q.conns.Front())
}

func (u *unserved) remove(q *hostQueue, at *fifo.Element) net.Conn {
	u.len--
	c := q.conns.Remove(at).(net.Conn)
	if q.conns.Len() == 0 {
		u.order.Remove(q.place)
		delete(u.byHost, q.host)
	}
	return c
}
