package rpc

import "context"

// ServerStreamHandler returns the Handler of a server-streaming method.
func ServerStreamHandler[Req, Res any](f func(context.Context, *Req, Sender[Res]) error) Handler {
	return func(ctx context.Context, s Stream) error {
		req, err := recvOnly[Req](s)
		if err != nil {
			return err
		}
		return f(ctx, req, Sender[Res]{s})
	}
}

// CallServerStream makes a server-streaming call.
func CallServerStream[Req, Res any](ctx context.Context, c Caller, m *Method, req *Req, opts ...CallOption) (Receiver[Res], error) {
	s, err := openSend(ctx, c, m, req, opts)
	if err != nil {
		return Receiver[Res]{}, err
	}
	return Receiver[Res]{s}, nil
}
