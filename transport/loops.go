package transport

import (
	"errors"
	"io"
	"sync"

	"github.com/parley-rpc/parley/transport/frame"
)

// readBufferSize is the capacity of a read buffer in bytes: the largest frame,
// and as much of a batch as one read of the link gives.
const readBufferSize = maxFrameLimit + 1<<10

// readBuffers are shared by all sessions: an idle one holds none.
var readBuffers = sync.Pool{New: func() any { return new([readBufferSize]byte) }}

// writeLoop is the writing goroutine.
func (s *Session) writeLoop() {
	var parts [][]byte
	for {
		var err error
		if parts, err = s.out.take(parts[:0]); err != nil {
			break
		}
		err = s.link.WriteMessage(parts)
		s.out.written()
		if err != nil {
			s.fail(linkError(err))
			break
		}
	}
	s.out.discard()
	s.closeLink()
}

// readLoop is the reading goroutine. It never waits for an application.
func (s *Session) readLoop() {
	for {
		r, err := s.link.NextReader()
		if err == nil {
			err = s.readMessage(r)
		}
		if err != nil {
			s.fail(linkError(err))
			return
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
	case errors.Is(err, errFlood):
		return &CloseError{Code: CloseRefusal + refusalExhausted, Reason: err.Error(), Err: err}
	}
	return &CloseError{Code: CloseAbnormal, Reason: "link lost", Err: err}
}

// queued ends the session if an urgent frame could not be queued.
func (s *Session) queued(err error) {
	if errors.Is(err, errFlood) {
		s.fail(linkError(err))
	}
}

// readMessage takes the frames of one message of the link in, as they arrive.
func (s *Session) readMessage(r io.Reader) error {
	buf := readBuffers.Get().(*[readBufferSize]byte)
	defer readBuffers.Put(buf)
	var in arrival
	have, empty := 0, true
	for {
		n, err := r.Read(buf[have:])
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if n > 0 {
			s.arrivals.Add(1)
		}
		have += n
		empty = empty && n == 0
		used, perr := s.takeFrames(&in, buf[:have])
		s.deliverStreams(&in)
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
		have = copy(buf[:], buf[used:have])
	}
}

// arrival collects the streams that one read has opened, so that their first
// messages are there before an application sees them.
type arrival struct {
	streams []*Stream
	last    bool // no frame may follow in the message
}

// takeFrames takes the whole frames in b in and returns their length in bytes.
func (s *Session) takeFrames(in *arrival, b []byte) (used int, err error) {
	for used < len(b) {
		h, n, err := frame.ParseHeader(b[used:])
		switch {
		case errors.Is(err, frame.ErrIncomplete):
			return used, nil
		case err != nil:
			return used, protocolError(CloseProtocolError, "%v", err)
		case h.Length > uint64(s.cfg.MaxFrame):
			return used, protocolError(CloseMessageTooBig, "%v of %d bytes, at most %d are accepted", h.Type, h.Length, s.cfg.MaxFrame)
		}
		end := used + n + int(h.Length)
		if end > len(b) {
			return used, nil
		}
		if err := s.takeFrame(in, h, b[used+n:end:end]); err != nil {
			return used, err
		}
		used = end
	}
	return used, nil
}

// deliverStreams hands new streams to the application.
func (s *Session) deliverStreams(in *arrival) {
	if len(in.streams) == 0 {
		return
	}
	if on := s.cfg.OnStream; on != nil {
		for _, st := range in.streams {
			on(st)
		}
	} else {
		s.mu.Lock()
		s.arrived = append(s.arrived, in.streams...)
		s.wakeAccept()
		s.mu.Unlock()
	}
	in.streams = in.streams[:0]
}
