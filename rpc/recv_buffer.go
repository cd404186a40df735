package rpc

import (
	"context"
	"errors"

	"github.com/parley-rpc/parley/transport"
)

// recvBuffer is the memory of the message that a stream receives. It is nil
// while no message has arrived.
type recvBuffer struct{ *buffer }

// Grow implements transport.BufferProvider.
func (a *recvBuffer) Grow(msg []byte, size int) []byte {
	old := a.buffer
	a.buffer = getBufferFor(size)
	grown := append(a.bytes, msg...)
	if old != nil {
		old.put()
	}
	return grown
}

// recv receives a message. Its bytes are valid until drop.
func (a *recvBuffer) recv(ctx context.Context, st *transport.Stream) (transport.Message, error) {
	m, err := st.RecvBorrowed(ctx, a)
	switch {
	case err == nil && a.buffer != nil:
		a.bytes = m.Bytes
	case err != nil && !errors.Is(err, transport.ErrConcurrent): // otherwise another goroutine uses the buffer
		a.drop(st)
	}
	return m, err
}

// drop ends the use of the message, which st has received.
func (a *recvBuffer) drop(st *transport.Stream) {
	if a.release() {
		st.ReleaseMessage()
	}
}

// release returns the memory of the message, if there is one.
func (a *recvBuffer) release() bool {
	if a.buffer == nil {
		return false
	}
	a.put()
	a.buffer = nil
	return true
}
