package rpc

import "context"

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
