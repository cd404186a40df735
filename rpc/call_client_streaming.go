package rpc

import "context"

// ClientStreamHandler returns the Handler of a client-streaming method.
func ClientStreamHandler[Req, Res any](f func(context.Context, Receiver[Req]) (*Res, error)) Handler {
	return func(ctx context.Context, s Stream) error {
		res, err := f(ctx, Receiver[Req]{s})
		return sendOnly(s, res, err)
	}
}

// CallClientStream opens a client-streaming call.
func CallClientStream[Req, Res any](ctx context.Context, c Caller, m *Method, opts ...CallOption) (Upload[Req, Res], error) {
	s, err := c.Open(ctx, m, opts...)
	if err != nil {
		return Upload[Req, Res]{}, err
	}
	return Upload[Req, Res]{s}, nil
}
