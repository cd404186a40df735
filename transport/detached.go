package transport

import (
	"container/heap"
	"container/list"
)

// detachedSet holds detached sessions by owner. It evicts a session of the
// owner with most, so that one owner cannot push out the sessions of another.
// Each operation takes O(log n) for n owners.
type detachedSet struct {
	place  map[*Session]*detachedSession
	owners map[string]*owner
	most   ownerHeap // by sessions
	heavy  ownerHeap // by bytes
	bytes  int
	clock  uint64 // counts additions
}

// detachedSession is an entry of a detachedSet.
type detachedSession struct {
	s      *Session
	owner  *owner
	at     *list.Element // in owner.sessions
	since  uint64        // of the clock
	unread int           // bytes that had arrived and were not received
	bytes  int           // unread, and what is kept to be sent
}

// owner has at least one session in a detachedSet.
type owner struct {
	name     string
	sessions list.List // of *detachedSession, the longest detached first
	bytes    int
	index    [2]int // in the heaps
}

func (o *owner) oldest() *detachedSession { return o.sessions.Front().Value.(*detachedSession) }

func (d *detachedSet) len() int { return len(d.place) }

// add adds a session that is not in the set.
func (d *detachedSet) add(s *Session) *detachedSession {
	if d.place == nil {
		d.place, d.owners = make(map[*Session]*detachedSession), make(map[string]*owner)
		d.most.index, d.heavy.index = 0, 1
		d.most.before = func(a, b *owner) bool { return a.sessions.Len() > b.sessions.Len() }
		d.heavy.before = func(a, b *owner) bool { return a.bytes > b.bytes }
	}
	d.clock++
	e := &detachedSession{s: s, since: d.clock}
	d.place[s] = e
	name := s.cfg.owner()
	if e.owner = d.owners[name]; e.owner != nil {
		e.at = e.owner.sessions.PushBack(e)
		heap.Fix(&d.most, e.owner.index[d.most.index])
		return e
	}
	e.owner = &owner{name: name}
	e.at = e.owner.sessions.PushBack(e)
	d.owners[name] = e.owner
	heap.Push(&d.most, e.owner)
	heap.Push(&d.heavy, e.owner)
	return e
}

// weigh records how many bytes a session of the set holds.
func (d *detachedSet) weigh(e *detachedSession, bytes int) {
	more := bytes - e.bytes
	if more == 0 {
		return
	}
	e.bytes = bytes
	e.owner.bytes += more
	d.bytes += more
	heap.Fix(&d.heavy, e.owner.index[d.heavy.index])
}

// remove removes a session, if it is in the set.
func (d *detachedSet) remove(s *Session) {
	e := d.place[s]
	if e == nil {
		return
	}
	delete(d.place, s)
	o := e.owner
	o.bytes -= e.bytes
	d.bytes -= e.bytes
	if o.sessions.Len() == 1 {
		heap.Remove(&d.most, o.index[d.most.index])
		heap.Remove(&d.heavy, o.index[d.heavy.index])
		o.sessions.Remove(e.at)
		delete(d.owners, o.name)
		return
	}
	o.sessions.Remove(e.at)
	heap.Fix(&d.most, o.index[d.most.index])
	heap.Fix(&d.heavy, o.index[d.heavy.index])
}

// evict removes and returns the session of the first owner of a heap that has
// been detached for longest.
func (d *detachedSet) evict(h *ownerHeap) *Session {
	s := h.owners[0].oldest().s
	d.remove(s)
	return s
}

// ownerHeap has first the owner whose session is evicted next. Of two equal
// owners it is the one whose session has been detached for longest. It
// implements heap.Interface.
type ownerHeap struct {
	owners []*owner
	index  int // which element of an owner's index is for this heap
	before func(a, b *owner) bool
}

func (h *ownerHeap) Len() int { return len(h.owners) }

func (h *ownerHeap) Less(i, j int) bool {
	a, b := h.owners[i], h.owners[j]
	if h.before(a, b) || h.before(b, a) {
		return h.before(a, b)
	}
	return a.oldest().since < b.oldest().since
}

func (h *ownerHeap) Swap(i, j int) {
	h.owners[i], h.owners[j] = h.owners[j], h.owners[i]
	h.owners[i].index[h.index], h.owners[j].index[h.index] = i, j
}

// Push is called by package heap.
func (h *ownerHeap) Push(x any) {
	o := x.(*owner)
	o.index[h.index] = len(h.owners)
	h.owners = append(h.owners, o)
}

// Pop is called by package heap.
func (h *ownerHeap) Pop() any {
	last := len(h.owners) - 1
	o := h.owners[last]
	h.owners[last] = nil
	h.owners = h.owners[:last]
	return o
}
