package transport

// spares are streams of a session whose use has ended, with the channels that they
// have made. They are used again for others: of the memory that a small call costs
// they are the largest part (docs/design/speed.md).
//
// Streams of this end and of the peer are kept apart, as only then nobody has a
// pointer left to one that is used again:
//   - A stream of the peer is forgotten when both directions have ended, at which end
//     whatever goroutine. The reading goroutine may still look at it then. But it is
//     the reading goroutine that uses it again, when the peer opens the next.
//   - A stream of this end is used again only if it was the reading goroutine that has
//     forgotten it, as the last that it did with it.
//
// Code that goes over all streams of a session holds its mu, runs on the reading
// goroutine, or ends the session, which opens no more streams then.
type spares struct {
	own, peer []*Stream
}

// maxSpares is how many streams of either end wait to be used again.
const maxSpares = 512

// put keeps a stream that nobody uses any more.
func (p *spares) put(st *Stream) {
	list := &p.peer
	if st.opener {
		list = &p.own
	}
	if len(*list) < maxSpares {
		*list = append(*list, st)
	}
}

// takeOwn returns a stream for this end, one to be used again if there is one.
func (p *spares) takeOwn() *Stream {
	st := pop(&p.own)
	st.opener = true
	return st
}

// takePeer is takeOwn for the peer. Only the reading goroutine may call it.
func (p *spares) takePeer() *Stream { return pop(&p.peer) }

func pop(list *[]*Stream) *Stream {
	last := len(*list) - 1
	if last < 0 {
		return new(Stream)
	}
	st := (*list)[last]
	(*list)[last] = nil
	*list = (*list)[:last]
	st.renew()
	return st
}

// renew makes the stream what it was when it was new, but for its channels.
func (st *Stream) renew() {
	woken, credited := st.recv.notify, st.send.notify
	drain(woken)
	drain(credited)
	*st = Stream{}
	st.recv.notify, st.send.notify = woken, credited
}

// drain takes a wake-up out of a channel that came too late for anybody.
func drain(notify chan struct{}) {
	select {
	case <-notify:
	default:
	}
}

// Free is Close for those who promise that nobody uses the stream any more, nor
// calls a method of it: its memory may be that of another stream at once.
func (st *Stream) Free() {
	if !st.leave() {
		return
	}
	st.recv.hand.clear()
	s := st.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leftInbound(st)
	st.freed = true
	s.recycle(st)
}

// recycle keeps a stream to be used again, as soon as that can be; mu is held.
func (s *Session) recycle(st *Stream) {
	if st.freed && st.forgotten && (!st.opener || st.endedByPeer) {
		s.spares.put(st)
	}
}

// releaseStreamPool frees the streams that are kept for reuse.
func (s *Session) releaseStreamPool() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spares = spares{}
}
