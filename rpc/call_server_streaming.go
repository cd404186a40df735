package rpc

import (
	"context"
	"errors"
	"io"
	"iter"
)

// ServerStreamHandler makes a Handler of a method that answers one message with many.
func ServerStreamHandler[Req, Res any](f func(context.Context, *Req, Sender[Res]) error) Handler {
	return func(ctx context.Context, s Stream) error {
		req, err := recvOnly[Req](s)
		if err != nil {
			return err
		}
		return f(ctx, req, Sender[Res]{s})
	}
}

// CallServerStream makes a call that answers one message with many.
func CallServerStream[Req, Res any](ctx context.Context, c Caller, m *Method, req *Req, opts ...CallOption) (Receiver[Res], error) {
	s, err := openSend(ctx, c, m, req, opts)
	if err != nil {
		return Receiver[Res]{}, err
	}
	return Receiver[Res]{s}, nil
}

// Receiver is the view of a call from which messages are received.
type Receiver[T any] struct{ s Stream }

// Recv waits for the next message. It returns io.EOF when the other end has sent
// all, and otherwise the call's status.
func (r Receiver[T]) Recv() (*T, error) {
	msg := new(T)
	if err := recvNew(r.s, msg); err != nil {
		return nil, err
	}
	return msg, nil
}

// All ranges over the messages up to the end of them. An error is the last item.
// At the caller's end, leaving the loop early cancels the call.
func (r Receiver[T]) All() iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		defer r.s.Close()
		for {
			msg, err := r.Recv()
			if errors.Is(err, io.EOF) || !yield(msg, err) || err != nil {
				return
			}
		}
	}
}

// Close ends the use of the call. At the caller's end it cancels a call that is
// not over; it has to be called unless all messages were received.
func (r Receiver[T]) Close() error { return r.s.Close() }

// Call returns what is known of the call.
func (r Receiver[T]) Call() *Call { return r.s.Call() }
