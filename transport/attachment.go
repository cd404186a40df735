package transport

import (
	"errors"
	"io"
	"runtime"
	"sync"

	"github.com/parley-rpc/parley/internal/frame"
)

// readBufferSize is the capacity of a read buffer in bytes: the largest frame,
// and as much of a batch as one read of the link gives.
const readBufferSize = maxFrameLimit + 1<<10

// readBuffers are shared by all sessions: an idle one holds none.
var readBuffers = sync.Pool{New: func() any { return new([readBufferSize]byte) }}

// attachment is the life of a session on one link, with a reading and a writing
// goroutine. A link begins with a session of its own; if the peer's HELLO asks to
// resume another, it goes over to that one.
type attachment struct {
	s    *Session // changed by the reading goroutine only
	link Link

	resume *resumeAttempt // non-nil: a dialer's link that is to take a session over

	predecessor *Predecessor // on an acceptor's link: the session to replace once a frame follows HELLO
	greeted     bool         // the peer's HELLO on this link has arrived
	confirmed   bool         // and a frame after it
	turnCost    int          // of the frames read since the reader last yielded
	opened      [4]*Stream   // memory for the streams that one read opens, mostly

	spawn   func(func()) // Config.Go
	writer  func()       // writes as long as there is something to write
	writing bool         // it is at that, or done for good; guarded by the outbox's mu

	loops sync.WaitGroup // the reading goroutine and, until it is done for good, the writer
}

// read is the reading goroutine. It never waits for an application.
func (a *attachment) read() {
	for {
		r, err := a.link.NextReader()
		if err == nil {
			err = a.readMessage(r)
		}
		if err != nil {
			a.s.linkFailed(a, linkError(err))
			return
		}
	}
}

// startWriting gives s a writer on the link, which begins with a frame of its own.
func (a *attachment) startWriting(s *Session, first []byte) {
	a.loops.Add(1)
	a.spawn = s.cfg.Go
	a.writer = func() {
		if a.write(s) {
			s.closeEnded(a)
			a.loops.Done()
		}
	}
	s.out.attach(a, first)
}

// startWriter lets the writer have a goroutine until there is nothing to write.
func (a *attachment) startWriter() {
	if a.spawn == nil {
		go a.writer()
		return
	}
	a.spawn(a.writer)
}

// write writes what is queued. It tells whether there is nothing left to do for good.
func (a *attachment) write(s *Session) (done bool) {
	for {
		parts, err := s.out.yieldAndTake(a)
		if err != nil {
			return true
		}
		if parts == nil {
			return false
		}
		err = a.link.WriteMessage(parts)
		s.out.written()
		if err != nil {
			s.linkFailed(a, linkError(err))
			return true
		}
	}
}

// linkError turns an error of reading or writing into the reason why the session
// ends. What is no *CloseError is a lost link.
func linkError(err error) *CloseError {
	var c *CloseError
	switch {
	case errors.As(err, &c):
		return c.normalized()
	case isOverflow(err):
		return &CloseError{Code: CloseRefusal + refusalExhausted, Reason: err.Error(), Err: err}
	}
	return &CloseError{Code: CloseAbnormal, Reason: "link lost", Err: err}
}

// arrival is what one read has brought.
type arrival struct {
	streams   []*Stream // that were opened: their first messages are to be there when an application sees them
	last      bool      // no frame may follow in the message
	sequenced uint64    // frames
	bytes     int       // of them
	begin     int       // where in the message the next frame begins
}

// maxInjected is how many bytes at the end of an unfinished message are not acted on. A
// proxy that ends a link may put a close frame into the middle of a WebSocket frame: it
// then seems to be a part of the message, the last one. A close frame has up to 2 bytes of
// head, 4 of mask and 125 of payload.
const maxInjected = 2 + 4 + 125

// maxBegin is before where a frame has to begin in a message of the link. It lets 16 bytes
// more pass than PROTOCOL.md demands: browser clients of version 0.1 may be some bytes late.
const maxBegin = maxBatch + 16

// readMessage takes the frames of one message of the link in, as they arrive.
func (a *attachment) readMessage(r io.Reader) error {
	buf := readBuffers.Get().(*[readBufferSize]byte)
	defer readBuffers.Put(buf)
	in := arrival{streams: a.opened[:0:len(a.opened)]}
	have, empty := 0, true
	for {
		n, err := r.Read(buf[have:])
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if n > 0 {
			a.s.bytesReceived.Add(uint64(n))
		}
		have += n
		empty = empty && n == 0
		ready := have
		if err == nil {
			ready = max(have-maxInjected, 0)
		}
		used, perr := a.takeTurns(&in, buf[:ready])
		switch {
		case perr != nil:
			return perr
		case err != nil && empty:
			return protocolError(CloseProtocolError, "empty message")
		case err != nil && used < have:
			return protocolError(CloseProtocolError, "message ends inside a frame")
		case err != nil:
			return nil
		}
		if used > 0 {
			have = copy(buf[:], buf[used:have])
		}
	}
}

// A link may be read without end by a peer that sends without end. Its goroutine
// lets others have their turn as often as it has spent turnEffort, of which a frame
// costs frameEffort and its length in bytes: after some 240 small frames, or 64 KiB of
// large ones. Without that a few floods keep everybody else waiting for the
// scheduler's 10 ms each.
const (
	turnEffort  = 64 << 10
	frameEffort = 256
)

// takeTurns takes the whole frames in b in and returns their length in bytes.
func (a *attachment) takeTurns(in *arrival, b []byte) (used int, err error) {
	for {
		n, err := a.takeFrames(in, b[used:])
		used += n
		a.s.countReceived(in)
		if tired := a.s.deliverStreams(in); err == nil {
			err = tired
		}
		if err != nil || a.turnCost < turnEffort {
			return used, err
		}
		a.turnCost = 0
		runtime.Gosched()
	}
}

// takeFrames takes whole frames in b in, for one turn at the most, and returns their
// length in bytes.
func (a *attachment) takeFrames(in *arrival, b []byte) (used int, err error) {
	for used < len(b) && a.turnCost < turnEffort {
		h, n, err := frame.ParseHeader(b[used:])
		limit := a.s.cfg.MaxFrame
		switch {
		case errors.Is(err, frame.ErrIncomplete):
			return used, nil
		case err != nil:
			return used, protocolError(CloseProtocolError, "%v", err)
		case in.begin >= maxBegin:
			return used, protocolError(CloseProtocolError, "%v begins behind the first %d bytes of a message", h.Type, maxBatch)
		case h.Length > uint64(limit):
			return used, protocolError(CloseMessageTooBig, "%v of %d bytes, at most %d are accepted", h.Type, h.Length, limit)
		}
		end := used + n + int(h.Length)
		if end > len(b) {
			return used, nil
		}
		if err := a.handleFrame(in, h, b[used+n:end:end]); err != nil {
			return used, err
		}
		if h.Type.Sequenced() {
			in.sequenced++
			in.bytes += end - used
		}
		a.turnCost += frameEffort + end - used
		in.begin += end - used
		used = end
	}
	return used, nil
}
