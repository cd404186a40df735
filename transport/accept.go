package transport

import (
	"bytes"
	"context"
)

// acceptQueue holds the streams of the peer that wait for Accept. The session's
// mu guards it.
type acceptQueue struct {
	streams []*Stream
	wake    chan struct{} // wakes one Accept; nil with OnStream
}

// push adds a stream and wakes an Accept.
func (q *acceptQueue) push(st *Stream) {
	q.streams = append(q.streams, st)
	q.wakeOne()
}

// pop removes the first stream, nil if there is none. If more wait, it wakes
// another Accept.
func (q *acceptQueue) pop() *Stream {
	if len(q.streams) == 0 {
		return nil
	}
	st := q.streams[0]
	q.streams[0] = nil
	q.streams = q.streams[1:]
	if len(q.streams) > 0 {
		q.wakeOne()
	}
	return st
}

func (q *acceptQueue) wakeOne() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Accept waits for the next stream that the peer opens. It returns the
// session's error when the session has ended.
func (s *Session) Accept(ctx context.Context) (*Stream, error) {
	for {
		s.mu.Lock()
		st := s.accepting.pop()
		s.mu.Unlock()
		if st != nil {
			return st, nil
		}
		if err := s.await(ctx, s.accepting.wake); err != nil {
			return nil, err
		}
	}
}

// deliverStreams hands new streams to the application, except those that were
// reset as soon as they were opened.
func (d dispatcher) deliverStreams(in *arrival) error {
	for i, st := range in.streams {
		in.streams[i] = nil
		if err := d.deliverStream(st); err != nil {
			return err
		}
	}
	in.streams = in.streams[:0]
	return nil
}

func (d dispatcher) deliverStream(st *Stream) error {
	if st.isReset() {
		_ = st.Close() // never fails
		return nil
	}
	if d.s.cfg.OnStream == nil {
		st.header = bytes.Clone(st.header)
		d.s.mu.Lock()
		defer d.s.mu.Unlock()
		d.s.accepting.push(st)
		return nil
	}
	header := st.header
	st.header = nil
	refused := d.s.cfg.OnStream(st, header)
	if refused == nil {
		return nil
	}
	st.Reset(refused.Code, refused.Reason)
	_ = st.Close()
	return d.countAborted()
}
