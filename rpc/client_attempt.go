package rpc

import (
	"context"
	"errors"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// try is one attempt at a call: a stream on a connection.
type attempt struct {
	conn   *Conn             // nil if there was none
	st     *transport.Stream // nil if it could not be opened
	unsent bool              // it could not, for a reason that another connection may not have
}

// close ends the use of the attempt.
func (t *attempt) close() {
	_ = t.st.Close()
}

// free is close where nobody else uses the attempt.
func (t *attempt) free() {
	t.st.Free()
	t.st = nil // it may be another call's by now
}

// unseen tells whether the attempt, which has failed, surely did not reach the
// other end's application.
func (t *attempt) unprocessed() bool {
	return t.unsent || t.st != nil && t.st.Unprocessed()
}

// firstTry opens the call, and sends only, unless that is nil.
func (s *clientStream) firstAttempt(only *message) error {
	t := &s.first
	var err error
	if t.conn = s.call.Conn; t.conn == nil {
		t.conn, err = s.client.pick(s.ctx, s.cfg.waitMode, nil)
	}
	var sent bool
	if err == nil {
		sent, err = s.openAttempt(s.ctx, t, only)
	}
	if err != nil {
		again, status := s.retry(t, err)
		if !again {
			if only != nil {
				only.put()
			}
			return status
		}
		t = s.currentAttempt()
	}
	s.call.Conn, s.call.Peer = t.conn, t.conn.Peer()
	s.mu.Lock()
	s.current, s.sentOnly = t, only != nil
	s.mu.Unlock()
	switch {
	case only == nil:
		return nil
	case !sent:
		return exceptFinished(s.transmit(only))
	}
	s.buffered(only)
	s.releaseMessage(only, nil)
	return nil
}

// openTry opens the stream of an attempt, and sends the first message, if there is one, with it
// where that can be.
func (s *clientStream) openAttempt(ctx context.Context, t *attempt, first *message) (sent bool, err error) {
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
