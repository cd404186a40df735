package rpc

import (
	"context"
	"errors"
	"io"
)

// Stream is one end of one call. Generated code wraps it in typed views. One
// goroutine may send while another receives.
type Stream interface {
	// Call returns what is known of the call.
	Call() *Call
	// Send sends a message, which it does not keep. It returns when the message
	// is queued for the network, not when the other end has it, and blocks
	// while the other end is slow. If the call is over its status is returned;
	// where that is OK, ErrFinished.
	Send(msg any) error
	// Recv waits for a message and decodes it into msg. It returns io.EOF when
	// the other end has sent all, and otherwise the call's status.
	Recv(msg any) error
	// CloseSend says that no more messages are sent. Once is enough.
	CloseSend() error
	// Close ends the use of the call, and cancels it if it is not over. After
	// the end of a call it does nothing.
	Close() error
}

// ErrFinished is returned by Send when the call has ended with status OK: the
// other end wants no more messages. What it has sent is there to be received.
var ErrFinished = errors.New("rpc: the call has ended with OK before all was sent")

// isEnd tells whether err says that all was received: io.EOF itself. A failure may
// wrap it, such as that of a connection which broke.
func isEnd(err error) bool {
	return err == io.EOF //nolint:errorlint // for that reason
}

// notEOF returns a failure in which an application that looks for io.EOF, as the
// sign that it has received all, does not find it.
func notEOF(err error) error {
	if err == nil || !errors.Is(err, io.EOF) {
		return err
	}
	e := *asError(err)
	e.cause = nil
	return &e
}

// Caller makes calls: a *Client or a *Conn.
type Caller interface {
	// Open begins a call. Its errors, and those of the stream, are *Error.
	Open(ctx context.Context, m *Method, opts ...CallOption) (Stream, error)
}

// ownCaller is a Caller of this package.
type ownCaller interface {
	openSend(ctx context.Context, m *Method, only any, opts []CallOption) (Stream, error)
}

// openSend begins a call that takes one message, and sends that. If it fails the call has
// ended.
func openSend(ctx context.Context, c Caller, m *Method, only any, opts []CallOption) (Stream, error) {
	if own, ok := c.(ownCaller); ok {
		return own.openSend(ctx, m, only, opts)
	}
	s, err := c.Open(ctx, m, opts...)
	if err != nil {
		return nil, err
	}
	return s, sendFirst(s, only)
}

// sendFirst sends the only message of a call. If it fails it ends the call.
func sendFirst(s Stream, only any) error {
	err := exceptFinished(s.Send(only))
	if err != nil {
		_ = s.Close() // the call has ended with err
	}
	return err
}

// newReceiver is a Stream of this package.
type newReceiver interface {
	receive(msg any, how decodeFunc) error
}

// recvNew is Recv for a message that is as new has made it.
func recvNew(s Stream, msg any) error {
	if own, ok := s.(newReceiver); ok {
		return own.receive(msg, (*coder).merge)
	}
	return s.Recv(msg)
}
