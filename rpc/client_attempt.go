package rpc

import (
	"context"
	"errors"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// attempt is one attempt at a call: a stream on a connection, or an exchange.
type attempt struct {
	conn   *Conn               // nil: there was none
	st     *transport.Stream   // nil: it could not be opened, or is an exchange
	x      *transport.Exchange // nil: it could not be opened, or is a stream
	unsent bool                // it could not be opened for a reason that another connection may not have
}

// isOpen reports whether the attempt could be opened.
func (a *attempt) isOpen() bool { return a.st != nil || a.x != nil }

// stream returns the stream of an attempt. An exchange becomes one.
func (a *attempt) stream() *transport.Stream {
	if a.x != nil {
		return a.x.Stream()
	}
	return a.st
}

// close ends the use of the attempt.
func (a *attempt) close() {
	if a.x != nil {
		a.x.Close()
		return
	}
	_ = a.st.Close()
}

// free is close for an attempt that no other goroutine uses.
func (a *attempt) free() {
	if a.x != nil {
		a.x.Free()
	} else {
		a.st.Free()
	}
	a.st, a.x = nil, nil // they may be in use by another call
}

// unprocessed reports whether the failed attempt certainly did not reach the
// peer's application.
func (a *attempt) unprocessed() bool {
	return a.unsent || a.isOpen() && a.stream().Unprocessed()
}

// firstAttempt opens the call and, if only is non-nil, sends it.
func (s *clientStream) firstAttempt(only *message) error {
	a := &s.first
	var err error
	if a.conn = s.call.Conn; a.conn == nil {
		a.conn, err = s.client.pick(s.ctx, s.cfg.waitMode, nil)
	}
	var sent bool
	if err == nil {
		sent, err = s.openAttempt(s.ctx, a, s.call.request, only)
	}
	if err != nil {
		again, status := s.retry(a, err)
		if !again {
			if only != nil {
				only.put()
			}
			return status
		}
		a = s.state.attempt()
	}
	s.call.Conn, s.call.Peer = a.conn, a.conn.Peer()
	switch {
	case only == nil:
		s.state.opened(a, false)
		return nil
	case !sent:
		s.state.opened(a, true)
		return exceptFinished(s.transmit(only))
	}
	s.state.openedWith(a, only)
	return nil
}

// openAttempt opens the stream of attempt a, with the metadata of the request,
// which no longer changes. If first is non-nil it sends it in the same frame, if
// it fits, and reports whether it did.
func (s *clientStream) openAttempt(ctx context.Context, a *attempt, request *pairs, first *message) (sent bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, transportError(err)
	}
	block := openBlock{
		service:  s.call.Method.Service,
		name:     s.call.Method.Name,
		alias:    a.conn.aliases.learned.of(s.call.Method),
		codec:    s.cfg.codec,
		encoding: s.cfg.compression,
		metadata: request,
	}
	if deadline, ok := ctx.Deadline(); ok {
		block.timeout, block.hasLimit = time.Until(deadline), true
	}
	b := getBuffer()
	defer b.put()
	b.bytes = block.append(b.bytes)
	switch {
	case first == nil:
		a.st, err = a.conn.sess.Open(ctx, b.bytes)
	case s.call.Method.ServerStreams:
		a.st, sent, err = a.conn.sess.OpenSend(ctx, b.bytes, first.bytes, first.options())
	default:
		a.x, a.st, sent, err = a.conn.sess.OpenExchange(ctx, b.bytes, first.bytes, transport.ExchangeOptions{
			Mark: first.mark, AwaitAnswer: s.alone, OnHeader: headerCheckFor(s.cfg.compression),
		})
	}
	if err != nil {
		var closed *transport.CloseError
		a.unsent = errors.Is(err, transport.ErrDraining) || errors.As(err, &closed)
		return false, a.conn.failure(err)
	}
	if first == nil || s.call.Method.ServerStreams {
		a.st.OnHeader(headerCheckFor(s.cfg.compression))
	}
	if s.call.Method.ServerStreams {
		a.st.GrowWindow() // it is likely to carry much
	}
	return sent, nil
}
