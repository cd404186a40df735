package rpc

import "context"

// ClientStreamHandler makes a Handler of a method that answers many messages with one.
func ClientStreamHandler[Req, Res any](f func(context.Context, Receiver[Req]) (*Res, error)) Handler {
	return func(ctx context.Context, s Stream) error {
		res, err := f(ctx, Receiver[Req]{s})
		return sendOnly(s, res, err)
	}
}

// CallClientStream makes a call that answers many messages with one.
func CallClientStream[Req, Res any](ctx context.Context, c Caller, m *Method, opts ...CallOption) (Upload[Req, Res], error) {
	s, err := c.Open(ctx, m, opts...)
	if err != nil {
		return Upload[Req, Res]{}, err
	}
	return Upload[Req, Res]{s}, nil
}

// Sender is the view of a call on which messages are sent.
type Sender[T any] struct{ s Stream }

// Send sends a message, which it does not keep. It returns when the message is
// queued for the network, not when the other end has it, and blocks while the
// other end is slow. If the call is over its status is returned.
func (v Sender[T]) Send(msg *T) error { return v.s.Send(msg) }

// Call returns what is known of the call.
func (v Sender[T]) Call() *Call { return v.s.Call() }

// Upload is the caller's view of a call that answers many messages with one.
type Upload[Req, Res any] struct{ s Stream }

// Send sends a message, as Sender.Send does. ErrFinished says that the handler
// has answered already: CloseAndRecv returns its answer.
func (u Upload[Req, Res]) Send(msg *Req) error { return u.s.Send(msg) }

// CloseAndRecv says that all was sent and waits for the answer.
func (u Upload[Req, Res]) CloseAndRecv() (*Res, error) {
	defer u.s.Close()
	if err := u.s.CloseSend(); err != nil {
		return nil, err
	}
	return recvAnswer[Res](u.s)
}

// Close cancels the call unless it is over.
func (u Upload[Req, Res]) Close() error { return u.s.Close() }

// Call returns what is known of the call.
func (u Upload[Req, Res]) Call() *Call { return u.s.Call() }
