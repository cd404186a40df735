package transport

// streamPool holds streams that are not used any more, with the channels that
// they have made, until others use their memory. A stream is the largest part
// of what a small call allocates (docs/design/speed.md).
//
// Local and remote streams are kept apart, because no goroutine may have a
// pointer left to a stream that is used again:
//   - Any goroutine may remove a remote stream once both directions have ended,
//     while the reader goroutine still looks at it. But only the reader
//     goroutine uses it again, when the peer opens the next one.
//   - A local stream is used again only if the reader goroutine has removed it,
//     as the last thing that it did with the stream.
//
// Code that goes over all streams of a session holds its mu, runs on the reader
// goroutine, or ends the session, after which no stream is opened.
type streamPool struct {
	local, remote []*Stream
}

// maxPooled is how many streams of each kind are kept.
const maxPooled = 512

// put keeps a stream that no goroutine uses any more.
func (p *streamPool) put(st *Stream) {
	list := &p.remote
	if st.opener {
		list = &p.local
	}
	if len(*list) < maxPooled {
		*list = append(*list, st)
	}
}

// getLocal returns a stream for this end to open, from the pool if there is
// one.
func (p *streamPool) getLocal() *Stream {
	st := pop(&p.local)
	st.opener = true
	return st
}

// getRemote returns a stream that the peer opens. Only the reader goroutine
// calls it.
func (p *streamPool) getRemote() *Stream { return pop(&p.remote) }

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

// renew resets the stream to a new one, except for its channels.
func (st *Stream) renew() {
	recvNotify, sendNotify := st.recv.notify, st.send.notify
	drain(recvNotify)
	drain(sendNotify)
	*st = Stream{}
	st.recv.notify, st.send.notify = recvNotify, sendNotify
}

// drain removes a wake-up that was not received from a channel.
func drain(notify chan struct{}) {
	select {
	case <-notify:
	default:
	}
}

// Free is like Close, and returns the memory of the stream to a pool: another
// stream may use it at once. The caller promises that no goroutine uses the
// stream any more.
func (st *Stream) Free() {
	if !st.markClosed() {
		return
	}
	st.recv.batch.clear()
	s := st.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams.free(st)
}

// releaseStreamPool frees the streams that are kept for reuse.
func (s *Session) releaseStreamPool() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams.pool = streamPool{}
}
