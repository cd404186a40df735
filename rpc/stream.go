package rpc

import (
	"context"
	"errors"
	"io"
)

// Stream is one end of one call. Generated code wraps it in typed views. One
// goroutine may send while another receives.
type Stream interface {
	// Call returns the call.
	Call() *Call
	// Send sends a message and does not retain it. It returns when the message
	// is queued for the network, not when the peer has received it, and blocks
	// while the peer is slow. If the call is over, Send returns its status, and
	// ErrFinished for OK.
	Send(msg any) error
	// Recv waits for a message and decodes it into msg. It returns io.EOF after
	// the peer's last message, and otherwise the status of the call.
	Recv(msg any) error
	// CloseSend ends the messages of this end. Calling it again does nothing.
	CloseSend() error
	// Close ends the use of the call, and cancels it if it is not over. After
	// the end of a call it does nothing.
	Close() error
}

// ErrFinished is returned by Send when the call has ended with status OK: the
// peer needs no more messages. The messages it has sent can be received.
var ErrFinished = errors.New("rpc: the call has ended with OK before all was sent")

// isEnd reports whether err is io.EOF itself, which means that everything was
// received. A failure, such as that of a broken connection, may wrap io.EOF.
func isEnd(err error) bool {
	return err == io.EOF //nolint:errorlint // for that reason
}

// notEOF returns an error that does not wrap io.EOF, since an application takes
// io.EOF as a sign that it has received everything.
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
	// Open starts a call. Its errors, and those of the stream, are *Error.
	Open(ctx context.Context, m *Method, opts ...CallOption) (Stream, error)
}

// newReceiver is a Stream of this package.
type newReceiver interface {
	receive(msg any, how decodeFunc) error
}

// recvNew is Recv for a message fresh from new.
func recvNew(s Stream, msg any) error {
	if own, ok := s.(newReceiver); ok {
		return own.receive(msg, (*coder).merge)
	}
	return s.Recv(msg)
}
