package rpc

import (
	"context"
	"errors"
	"io"
)

// UnaryHandler returns the Handler of a unary method.
func UnaryHandler[Req, Res any](f func(context.Context, *Req) (*Res, error)) Handler {
	return func(ctx context.Context, s Stream) error {
		if own, ok := s.(*serverStream); ok {
			own.keepPrivate()
		}
		req, err := recvOnly[Req](s)
		if err != nil {
			return err
		}
		res, err := f(ctx, req)
		return sendOnly(s, res, err)
	}
}

// CallUnary makes a unary call.
func CallUnary[Req, Res any](ctx context.Context, c Caller, m *Method, req *Req, opts ...CallOption) (*Res, error) {
	c, opts, err := route(ctx, c, m, opts)
	if err != nil {
		return nil, err
	}
	if own, ok := c.(ownCaller); ok {
		s, e, err := own.newUnary(m, opts)
		if err != nil {
			return nil, err
		}
		answer, err := s.awaitUnary(ctx, e, req)
		if err != nil {
			return nil, err
		}
		res := new(Res) // calls that wait have none
		if err := s.finishUnary(ctx, e, req, res, answer); err != nil {
			return nil, err
		}
		return res, nil
	}
	s, err := openSend(ctx, c, m, req, opts)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return recvResponse[Res](s)
}

// OpenUnary starts a unary call and sends its only message with it, as
// CallUnary does, for a caller that needs the stream: it receives one message,
// and then closes the stream. If the call was opened, but its message was not
// sent, both the stream and the error are returned, and Recv returns the
// status.
func OpenUnary(ctx context.Context, c Caller, m *Method, req any, opts ...CallOption) (Stream, error) {
	return openSend(ctx, c, m, req, opts)
}

// recvResponse receives the message of a call with a single response.
func recvResponse[Res any](s Stream) (*Res, error) {
	res := new(Res)
	if err := responseError(s.Call().Method, recvNew(s, res)); err != nil {
		return nil, err
	}
	return res, nil
}

// responseError returns the error of a call with a single response from that of
// its Recv.
func responseError(m *Method, err error) error {
	if errors.Is(err, io.EOF) {
		return Errorf(CodeInternal, "%s has no response, or it was received before", m.Path())
	}
	return err
}

// recvOnly receives the message of a call with a single request.
func recvOnly[T any](s Stream) (*T, error) {
	msg := new(T)
	err := recvNew(s, msg)
	if errors.Is(err, io.EOF) {
		return nil, Errorf(CodeInternal, "%s takes one message, received none", s.Call().Method.Path())
	}
	return msg, err
}

// sendOnly sends the result of a handler with a single response.
func sendOnly[T any](s Stream, msg *T, err error) error {
	if err != nil {
		return err
	}
	if msg == nil {
		return Errorf(CodeInternal, "%s returned no response", s.Call().Method.Path())
	}
	return s.Send(msg)
}

// openSend starts a call that takes one message, and sends that message. If it
// fails the call has ended, and the stream is nil unless the call was opened.
func openSend(ctx context.Context, c Caller, m *Method, only any, opts []CallOption) (Stream, error) {
	c, opts, err := route(ctx, c, m, opts)
	if err != nil {
		return nil, err
	}
	if own, ok := c.(ownCaller); ok {
		return own.openSend(ctx, m, only, opts)
	}
	s, err := c.Open(ctx, m, opts...)
	if err != nil {
		return nil, err
	}
	return s, sendFirst(s, only)
}

// ownCaller is a Caller of this package.
type ownCaller interface {
	newUnary(m *Method, opts []CallOption) (*clientStream, *endpoint, error)
	openSend(ctx context.Context, m *Method, only any, opts []CallOption) (Stream, error)
}

// sendFirst sends the only message of a call. If that fails it ends the call.
func sendFirst(s Stream, only any) error {
	err := exceptFinished(s.Send(only))
	if err != nil {
		_ = s.Close() // the error of Send is the status
	}
	return err
}
