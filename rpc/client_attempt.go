package rpc

import (
	"context"
	"errors"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// try is one attempt at a call: a stream on a connection.
type try struct {
	conn   *Conn             // nil if there was none
	st     *transport.Stream // nil if it could not be opened
	unsent bool              // it could not, for a reason that another connection may not have
}

// close ends the use of the attempt.
func (t *try) close() {
	_ = t.st.Close()
}

// free is close where nobody else uses the attempt.
func (t *try) free() {
	t.st.Free()
	t.st = nil // it may be another call's by now
}

// unseen tells whether the attempt, which has failed, surely did not reach the
// other end's application.
func (t *try) unseen() bool {
	return t.unsent || t.st != nil && t.st.Unprocessed()
}

// firstTry opens the call, and sends only, unless that is nil.
func (s *clientStream) firstTry(only *message) error {
	t := &s.first
	var err error
	if t.conn = s.call.Conn; t.conn == nil {
		t.conn, err = s.client.pick(s.ctx, s.cfg.patience, nil)
	}
	var sent bool
	if err == nil {
		sent, err = s.openTry(s.ctx, t, only)
	}
	if err != nil {
		again, status := s.again(t, err)
		if !again {
			if only != nil {
				only.put()
			}
			return status
		}
		t = s.current()
	}
	s.call.Conn, s.call.Peer = t.conn, t.conn.Peer()
	s.mu.Lock()
	s.at, s.only = t, only != nil
	s.mu.Unlock()
	switch {
	case only == nil:
		return nil
	case !sent:
		return exceptFinished(s.transmit(only))
	}
	s.keep(only)
	s.sent(only, nil)
	return nil
}

// openTry opens the stream of an attempt, and sends the first message, if there is one, with it
// where that can be.
func (s *clientStream) openTry(ctx context.Context, t *try, first *message) (sent bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, transportError(err)
	}
	block := openBlock{
		service:  s.call.Method.Service,
		name:     s.call.Method.Name,
		alias:    t.conn.aliases.of(s.call.Method),
		codec:    s.cfg.codec,
		encoding: s.cfg.compression,
		metadata: s.call.request, // it has been sent, and changes no more
	}
	if deadline, ok := ctx.Deadline(); ok {
		block.timeout, block.hasLimit = time.Until(deadline), true
	}
	b := getBuffer()
	defer b.put()
	b.bytes = block.append(b.bytes)
	if first != nil {
		t.st, sent, err = t.conn.sess.OpenSend(ctx, b.bytes, first.bytes, first.options())
	} else {
		t.st, err = t.conn.sess.Open(ctx, b.bytes)
	}
	if err != nil {
		var closed *transport.CloseError
		t.unsent = errors.Is(err, transport.ErrDraining) || errors.As(err, &closed)
		return false, t.conn.failure(err)
	}
	return sent, nil
}

// replay sends on an attempt what was sent before, and makes it the one that
// counts. It fails if the call has ended meanwhile.
func (s *clientStream) replay(ctx context.Context, t *try) error {
	for n := 0; ; n++ {
		m, ended, err := s.nextKept(t, n)
		switch {
		case err != nil:
			return err
		case m != nil:
			err = t.st.Send(ctx, m.bytes, m.options())
			s.replayed()
		case ended:
			err = t.st.CloseSend(ctx, nil)
		}
		if err != nil {
			return s.unfinished(t, err)
		}
		if m == nil {
			return nil
		}
	}
}

// unfinished deals with an error of sending on an attempt: if that has ended with
// OK the other end wants no more, and the attempt counts. Otherwise it returns the
// status.
func (s *clientStream) unfinished(t *try, err error) error {
	if _, ended := t.st.Trailer(); !ended {
		return s.failure(t, err)
	}
	if status := s.takeEnd(t); status != nil {
		return status
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.finished {
		s.at = t
	}
	return nil
}

// replayed ends the use of what nextKept has returned.
func (s *clientStream) replayed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept.users--
}

// nextKept returns message n of those that were sent, to be used until replayed. Behind
// the last the attempt counts, and ended says that the end was sent too.
func (s *clientStream) nextKept(t *try, n int) (m *message, ended bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.finished && s.status == nil:
		return nil, false, ErrFinished
	case s.finished:
		return nil, false, s.status
	case !s.kept.on:
		return nil, false, Errorf(CodeUnavailable, "more was sent than is kept for another attempt")
	case n < len(s.kept.messages):
		s.kept.users++
		m := s.kept.messages[n]
		return &m, false, nil
	}
	s.at = t
	s.kept.trim()
	return nil, s.kept.ended && s.call.Method.ClientStreams, nil
}
