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

// readBuffers is shared by all sessions: an idle session holds none.
var readBuffers = sync.Pool{New: func() any { return new(readBuffer) }}

// readBuffer is the memory in which a message of the link is read.
type readBuffer struct {
	bytes    [readBufferSize]byte
	data     []heldData // in bytes
	requests []request  // in bytes
}

// maxInjected is how many bytes at the end of an unfinished message are not
// handled yet. A proxy that ends a link may put a close frame into the middle
// of a WebSocket frame, where it looks like the last part of the message. A
// close frame has up to 2 bytes of head, 4 of mask and 125 of payload.
const maxInjected = 2 + 4 + 125

// maxBegin is the position in a message of the link before which every frame
// must begin. It allows 16 bytes more than PROTOCOL.md: browser clients of
// version 0.1 may be some bytes late.
const maxBegin = maxBatch + 16

// A peer that sends without end would keep its reader goroutine running without
// end. So the reader yields whenever it has spent maxTurnCost: a frame costs
// frameTurnCost and its length in bytes. That is after about 240 small frames
// or 64 KiB of large ones. Otherwise a few floods would make all other
// goroutines wait for the scheduler's 10 ms each.
const (
	maxTurnCost   = 64 << 10
	frameTurnCost = 256
)

// arrival is what one read has brought.
type arrival struct {
	streams   []*Stream  // that were opened; they are delivered once their first messages are there
	data      []heldData // DATA frames that are handled together, before the next other frame
	open      heldOpen   // an OPEN that may be part of a request
	requests  []request  // that are delivered together, when the turn ends
	tail      int        // bytes of the last frame, if it is open
	last      bool       // no frame may follow in the message
	more      bool       // the message goes on
	sequenced uint64     // frames
	bytes     int        // of sequenced frames
	begin     int        // where in the message the next frame begins
}

// read is the reader goroutine. It never waits for the application, except
// while that reads the link itself.
//
// Handling frames makes its stack grow, to 4 KiB or more, and a stack of that
// size does not shrink. To wait, 2 KiB are enough. So when the session comes to
// rest, another goroutine goes on.
func (a *attachment) read() {
	for {
		err := a.lend()
		if err == nil {
			err = a.readNext()
		}
		if err != nil {
			a.s.linkFailed(a, linkError(err))
			return
		}
		if !a.sequenced && a.s.releaseIdle() {
			a.loops.Go(a.read)
			return
		}
	}
}

// readNext waits for a message of the link, and handles it.
func (a *attachment) readNext() error {
	r, err := a.link.NextReader()
	if err != nil {
		return err
	}
	return a.readMessage(r)
}

// releaseIdle reports whether the session is at rest: no stream is in use, and
// the peer has all that streams have sent. Then it frees what streams need. The
// last frames that have arrived are an ACK or a PING.
func (s *Session) releaseIdle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams.isIdle() && s.out.releaseIdle()
}

// readMessage handles the frames of one message of the link, as they arrive.
func (a *attachment) readMessage(r io.Reader) error {
	a.sequenced = false
	b := readBuffers.Get().(*readBuffer)
	defer readBuffers.Put(b)
	buf := b.bytes[:]
	in := arrival{streams: a.opened[:0:len(a.opened)], data: b.data[:0], requests: b.requests[:0]}
	defer func() { b.data, b.requests = in.data[:0], in.requests[:0] }()
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
		in.more = err == nil
		if in.more {
			ready = max(have-maxInjected, 0)
		}
		used, frameErr := a.handleFrames(&in, buf[:ready])
		switch {
		case frameErr != nil:
			return frameErr
		case err != nil && empty:
			return protocolError(CloseProtocolError, "empty message")
		case err != nil && used < have:
			return protocolError(CloseProtocolError, "message ends inside a frame")
		case err != nil:
			return nil
		}
		if used > 0 {
			have = copy(buf, buf[used:have])
		}
	}
}

// handleFrames handles the whole frames in b and returns their length in bytes.
// It yields between turns.
func (a *attachment) handleFrames(in *arrival, b []byte) (used int, err error) {
	for {
		n, err := a.handleTurn(in, b[used:])
		used += n
		if err == nil && in.more && a.turnCost < maxTurnCost {
			used -= a.putBackOpen(in)
		}
		d := dispatcher{a.s} // after handleTurn, which may change a.s
		if deliverErr := d.endTurn(in); err == nil {
			err = deliverErr
		}
		if err != nil || a.turnCost < maxTurnCost {
			return used, err
		}
		a.turnCost = 0
		runtime.Gosched()
	}
}

// maxPutBack is the size in bytes of the largest OPEN that is put back: behind
// it, the read buffer has room for the largest frame and maxInjected bytes.
const maxPutBack = 512

// putBackOpen has an OPEN that came last handled again with what follows, so that
// a request is not split where one read has ended and the next begins. It returns
// the length in bytes of what is to be handled again.
func (a *attachment) putBackOpen(in *arrival) int {
	size := in.tail
	if in.open.Type == 0 || size == 0 || size > maxPutBack {
		return 0
	}
	in.open = heldOpen{}
	in.sequenced--
	in.bytes -= size
	in.begin -= size
	a.turnCost -= frameTurnCost + size
	return size
}

// handleTurn handles the whole frames in b, for one turn at most, and returns
// their length in bytes.
func (a *attachment) handleTurn(in *arrival, b []byte) (used int, err error) {
	for used < len(b) && a.turnCost < maxTurnCost {
		h, n, err := frame.ParseHeader(b[used:])
		limit := a.s.cfg.MaxFrame
		switch {
		case errors.Is(err, frame.ErrIncomplete):
			return used, nil
		case err != nil:
			return used, protocolError(CloseProtocolError, "%v", err)
		case in.begin >= maxBegin:
			return used, protocolError(CloseProtocolError, "%v begins after the first %d bytes of a message", h.Type, maxBatch)
		case h.Length > uint64(limit):
			return used, protocolError(CloseMessageTooBig, "%v of %d bytes exceeds the limit of %d", h.Type, h.Length, limit)
		}
		end := used + n + int(h.Length)
		if end > len(b) {
			return used, nil
		}
		if err := a.handleFrame(in, h, b[used+n:end:end]); err != nil {
			return used, err
		}
		if h.Type.Sequenced() {
			a.sequenced = true
			in.sequenced++
			in.bytes += end - used
		}
		if in.tail = 0; h.Type == frame.TypeOpen && in.open.Type != 0 {
			in.tail = end - used
		}
		a.turnCost += frameTurnCost + end - used
		in.begin += end - used
		used = end
	}
	return used, nil
}

// endTurn hands to the application what a turn has brought.
func (d dispatcher) endTurn(in *arrival) error {
	err := d.handleHeldData(in)
	d.countReceived(in)
	if err != nil {
		return err
	}
	if err = d.deliverStreams(in); err != nil {
		return err
	}
	if err = d.deliverRequests(in); err != nil {
		return err
	}
	if err = d.handleHeldOpen(in); err != nil {
		return err
	}
	return d.deliverStreams(in)
}
