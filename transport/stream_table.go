package transport

import (
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/parley-rpc/parley/internal/frame"
)

// streamTable holds the streams of a session that have not ended, and counts
// the slots that they take. The session's mu guards it, except for the atomics.
type streamTable struct {
	byID       map[uint64]*Stream // may be nil while it is empty
	exchanges  idRing[Exchange]   // streams of this end that are not made yet
	served     idRing[Served]     // streams of the peer that are not made yet
	pool       streamPool
	nextID     uint64        // of the next stream that this end opens
	lastRemote uint64        // the highest id that the peer has opened
	local      int           // slots of streams that this end has opened or is opening
	remote     int           // streams in the table that the peer opened
	remoteUsed int           // streams that the peer opened and this end has not closed
	slotQueue  waitlist      // for a slot to open a stream in
	idle       chan struct{} // closed when isIdle is true; nil while nothing waits for that

	live    atomic.Int32 // streams in the table, with those that are not made yet
	stopped atomic.Bool  // this end opens no more streams; set with mu held
}

func newStreamTable(side Side) streamTable {
	if side == Dialer {
		return streamTable{nextID: 1}
	}
	return streamTable{nextID: 2}
}

// insert adds a stream.
func (t *streamTable) insert(st *Stream) {
	if t.byID == nil {
		t.byID = make(map[uint64]*Stream)
	}
	t.byID[st.id] = st
	t.live.Add(1)
}

// insertExchange adds an exchange. No other has its place.
func (t *streamTable) insertExchange(x *Exchange) {
	t.exchanges.add(x.id, x)
	t.live.Add(1)
}

// replaceExchange puts the Stream that was made in the place of its exchange.
func (t *streamTable) replaceExchange(x *Exchange) {
	t.exchanges.remove(x.id)
	t.live.Add(-1)
	t.insert(x.st)
}

// endExchange removes the exchange of an id, which the peer has answered, and
// returns it, or nil if there is none. exchangesEnded must follow, once for all
// that a turn has brought.
func (t *streamTable) endExchange(id uint64) *Exchange {
	x := t.exchanges.find(id)
	if x == nil {
		return nil
	}
	t.exchanges.remove(id)
	x.answered = true
	return x
}

// exchangesEnded says that n exchanges were removed by endExchange. Their slots
// are free: openWaiting must follow.
func (t *streamTable) exchangesEnded(n int) {
	if n == 0 {
		return
	}
	t.local -= n
	t.live.Add(int32(-n))
	t.noteIdle()
}

// insertServed adds a stream that the peer has opened and counts it. No other
// that is not made has its place.
func (t *streamTable) insertServed(sv *Served) {
	t.served.add(sv.id, sv)
	t.live.Add(1)
	t.remote++
	t.remoteUsed++
}

// replaceServed puts the Stream that was made in the place of what it was.
func (t *streamTable) replaceServed(sv *Served) {
	t.served.remove(sv.id)
	t.live.Add(-1)
	t.insert(sv.st)
}

// endServed removes a stream of the peer to which this end has responded, and
// which it uses no more.
func (t *streamTable) endServed(sv *Served) {
	t.served.remove(sv.id)
	t.live.Add(-1)
	t.remote--
	t.remoteUsed--
	t.noteIdle()
}

// insertRemote adds a stream that the peer has opened and counts it. Only the
// reader goroutine calls it.
func (t *streamTable) insertRemote(st *Stream) {
	t.insert(st)
	t.remote++
	t.remoteUsed++
}

// remove removes a stream that has ended in both directions. endedByPeer says
// that the last frame of the peer has ended it. maxLocal is how many streams
// the peer accepts.
func (t *streamTable) remove(st *Stream, endedByPeer bool, maxLocal uint64) {
	delete(t.byID, st.id)
	t.live.Add(-1)
	t.noteIdle()
	if st.opener {
		t.releaseSlot(maxLocal)
	} else {
		t.remote--
	}
	st.removed, st.endedByPeer = true, endedByPeer
	t.recycle(st)
}

// close says that this end uses a stream no more.
func (t *streamTable) close(st *Stream) {
	if !st.opener {
		t.remoteUsed--
		t.noteIdle()
	}
}

// free is close of a stream to which no pointer is left, so that it can be used
// again.
func (t *streamTable) free(st *Stream) {
	t.close(st)
	st.freed = true
	t.recycle(st)
}

// recycle puts a stream into the pool if that is safe now.
func (t *streamTable) recycle(st *Stream) {
	if st.freed && st.removed && (!st.opener || st.endedByPeer) {
		t.pool.put(st)
	}
}

// find returns the stream of an id, or nil if it has ended.
func (t *streamTable) find(id uint64) (*Stream, error) {
	if st := t.byID[id]; st != nil {
		return st, nil
	}
	if local := t.isLocal(id); local && id >= t.nextID || !local && id > t.lastRemote {
		return nil, fmt.Errorf("stream %d was never opened", id)
	}
	return nil, nil
}

func (t *streamTable) isLocal(id uint64) bool { return id%2 == t.nextID%2 }

// recordRemote checks and records the id of a stream that the peer opens.
func (t *streamTable) recordRemote(id uint64) error {
	if t.isLocal(id) || id <= t.lastRemote {
		return fmt.Errorf("stream id %d is not the peer's, or not above %d", id, t.lastRemote)
	}
	t.lastRemote = id
	return nil
}

// refusal returns why a new stream of the peer is refused, nil if it is not.
//
// The peer counts a stream until it has ended on the wire. As many streams
// again may have ended there while this end still uses them, as when the peer
// opens and resets a stream at once.
func (t *streamTable) refusal(maxRemote int) *ResetError {
	switch {
	case t.remote >= maxRemote:
		return &ResetError{Code: ResetRefused, Reason: fmt.Sprintf("too many streams: the limit is %d", maxRemote)}
	case t.remoteUsed >= 2*maxRemote:
		return &ResetError{Code: ResetRefused, Reason: "too many ended streams are in use"}
	}
	return nil
}

// canOpen reports whether this end may open streams: it has not stopped, and
// has ids left.
func (t *streamTable) canOpen() bool { return !t.stopped.Load() && t.nextID <= frame.MaxVarint }

// stopOpening makes Open fail from now on, and ends the wait for slots.
func (t *streamTable) stopOpening() {
	t.stopped.Store(true)
	t.slotQueue.dismiss()
}

// tryReserve takes a slot for a stream of this end, if one is free and nothing
// waits for it. maxLocal is how many streams the peer accepts.
func (t *streamTable) tryReserve(maxLocal uint64) bool {
	ok := t.hasSlot(maxLocal)
	if ok {
		t.local++
	}
	return ok
}

// hasSlot reports whether tryReserve takes a slot.
func (t *streamTable) hasSlot(maxLocal uint64) bool {
	return t.slotQueue.empty() && uint64(t.local) < maxLocal
}

// releaseSlot gives a slot back.
func (t *streamTable) releaseSlot(maxLocal uint64) {
	t.local--
	t.grantSlots(maxLocal)
}

// grantSlots gives free slots to those that wait.
func (t *streamTable) grantSlots(maxLocal uint64) {
	t.slotQueue.grant(func(int) bool {
		free := uint64(t.local) < maxLocal
		if free {
			t.local++
		}
		return free
	})
}

// isIdle reports whether no stream is open, nor used by this end.
func (t *streamTable) isIdle() bool { return t.live.Load() == 0 && t.remoteUsed == 0 }

// whenIdle returns a channel that is closed as soon as isIdle is true.
func (t *streamTable) whenIdle() <-chan struct{} {
	if t.idle == nil {
		t.idle = make(chan struct{})
	}
	idle := t.idle
	t.noteIdle()
	return idle
}

func (t *streamTable) noteIdle() {
	if t.idle != nil && t.isIdle() {
		close(t.idle)
		t.idle = nil
	}
}

// all returns the streams in the table.
func (t *streamTable) all() []*Stream { return slices.Collect(maps.Values(t.byID)) }

// localAbove returns the streams of this end with a higher id than last.
func (t *streamTable) localAbove(last uint64) (above []*Stream) {
	for id, st := range t.byID {
		if st.opener && id > last {
			above = append(above, st)
		}
	}
	return above
}

// unread returns how many bytes the streams hold that have arrived and were not
// received. mu keeps the streams from being used again.
func (t *streamTable) unread() (bytes int) {
	for _, st := range t.byID {
		bytes += st.recv.unread()
	}
	return bytes
}

// releaseIdle frees the memory that is not needed while there are no streams,
// and reports whether that is so.
func (t *streamTable) releaseIdle() bool {
	if t.live.Load() > 0 {
		return false
	}
	t.byID, t.pool = nil, streamPool{}
	t.exchanges, t.served = idRing[Exchange]{}, idRing[Served]{}
	return true
}
