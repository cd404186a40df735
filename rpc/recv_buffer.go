package rpc

import (
	"context"
	"errors"

	"github.com/parley-rpc/parley/transport"
)

// arriving is the memory of the message that a stream receives. While nothing has come
// there is none.
type recvBuffer struct{ *buffer }

// Grow is that of transport.BufferProvider.
func (a *recvBuffer) Grow(msg []byte, size int) []byte {
	old := a.buffer
	a.buffer = getBufferFor(size)
	grown := append(a.bytes, msg...)
	if old != nil {
		old.put()
	}
	return grown
}

// recv receives a message, whose bytes stay valid until drop.
func (a *recvBuffer) recv(ctx context.Context, st *transport.Stream) (transport.Message, error) {
	m, err := st.RecvBorrowed(ctx, a)
	switch {
	case err == nil && a.buffer != nil:
		a.bytes = m.Bytes
	case err != nil && !errors.Is(err, transport.ErrConcurrent): // then it is another's
		a.drop(st)
	}
	return m, err
}

// drop ends the use of the message, which st has received.
func (a *recvBuffer) drop(st *transport.Stream) {
	if a.buffer != nil {
		a.put()
		a.buffer = nil
		st.ReleaseMessage()
	}
}
