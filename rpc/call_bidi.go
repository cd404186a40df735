package rpc

import "context"

// BidiHandler returns the Handler of a bidirectional streaming method.
func BidiHandler[Req, Res any](f func(context.Context, Receiver[Req], Sender[Res]) error) Handler {
	return func(ctx context.Context, s Stream) error {
		return f(ctx, Receiver[Req]{s}, Sender[Res]{s})
	}
}

// CallBidi opens a bidirectional streaming call.
func CallBidi[Req, Res any](ctx context.Context, c Caller, m *Method, opts ...CallOption) (Duplex[Req, Res], error) {
	s, err := c.Open(ctx, m, opts...)
	if err != nil {
		return Duplex[Req, Res]{}, err
	}
	return Duplex[Req, Res]{s}, nil
}
