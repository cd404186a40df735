package rpc

import (
	"context"
	"iter"
)

// BidiHandler makes a Handler of a method with many messages each way.
func BidiHandler[Req, Res any](f func(context.Context, Receiver[Req], Sender[Res]) error) Handler {
	return func(ctx context.Context, s Stream) error {
		return f(ctx, Receiver[Req]{s}, Sender[Res]{s})
	}
}

// CallBidi makes a call with many messages each way.
func CallBidi[Req, Res any](ctx context.Context, c Caller, m *Method, opts ...CallOption) (Duplex[Req, Res], error) {
	s, err := c.Open(ctx, m, opts...)
	if err != nil {
		return Duplex[Req, Res]{}, err
	}
	return Duplex[Req, Res]{s}, nil
}

// Duplex is the caller's view of a call with many messages each way. One
// goroutine may send while another receives.
type Duplex[Req, Res any] struct{ s Stream }

// Send sends a message, as Sender.Send does. ErrFinished says that the handler
// has returned with OK: Recv returns what it has sent.
func (d Duplex[Req, Res]) Send(msg *Req) error { return d.s.Send(msg) }

// CloseSend says that all was sent. Messages can still be received.
func (d Duplex[Req, Res]) CloseSend() error { return d.s.CloseSend() }

// Recv waits for the next message, as Receiver.Recv does.
func (d Duplex[Req, Res]) Recv() (*Res, error) { return Receiver[Res]{d.s}.Recv() }

// All ranges over the messages, as Receiver.All does.
func (d Duplex[Req, Res]) All() iter.Seq2[*Res, error] { return Receiver[Res]{d.s}.All() }

// Close cancels the call unless it is over. It has to be called unless all
// messages were received.
func (d Duplex[Req, Res]) Close() error { return d.s.Close() }

// Call returns what is known of the call.
func (d Duplex[Req, Res]) Call() *Call { return d.s.Call() }
