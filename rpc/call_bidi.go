package rpc

import "context"

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
