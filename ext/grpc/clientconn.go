package grpcparley

import (
	"context"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"

	"github.com/parley-rpc/parley/rpc"
)

// ClientConn makes the calls of grpc's client stubs on a client or connection
// of package rpc. It is safe for concurrent use, and need not be closed.
type ClientConn struct {
	caller rpc.Caller
	opts   []grpc.CallOption
	unary  []grpc.UnaryClientInterceptor
	stream []grpc.StreamClientInterceptor
	stats  []stats.Handler

	methods methods

	invoker  grpc.UnaryInvoker // invoke inside the interceptors
	streamer grpc.Streamer     // newStream inside the interceptors
}

var _ grpc.ClientConnInterface = (*ClientConn)(nil)

// NewClientConn returns a ClientConn whose calls go to a *rpc.Client, or to one
// connection, a *rpc.Conn. Either end of a connection may have one. It panics
// if an option is invalid, since a program with such a mistake should not
// start.
func NewClientConn(c rpc.Caller, opts ...ClientOption) *ClientConn {
	cc := &ClientConn{caller: c}
	for _, o := range opts {
		o.applyClient(cc)
	}
	switch {
	case hasNil(cc.unary):
		panic("grpcparley: WithUnaryClientInterceptors: one is nil")
	case hasNil(cc.stream):
		panic("grpcparley: WithStreamClientInterceptors: one is nil")
	case hasNil(cc.stats):
		panic("grpcparley: WithStatsHandler: it is nil")
	}
	cc.invoker, cc.streamer = cc.invoke, cc.newStream
	for _, around := range slices.Backward(cc.unary) {
		next := cc.invoker
		cc.invoker = func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, opts ...grpc.CallOption) error {
			return around(ctx, method, req, reply, conn, next, opts...)
		}
	}
	for _, around := range slices.Backward(cc.stream) {
		next := cc.streamer
		cc.streamer = func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			return around(ctx, desc, conn, method, next, opts...)
		}
	}
	return cc
}

// noConn is passed to interceptors in place of a connection of grpc.
var noConn = new(grpc.ClientConn)

// Invoke makes a unary call. Its errors are statuses.
func (c *ClientConn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	return c.invoker(ctx, method, args, reply, noConn, c.combine(opts)...)
}

// NewStream opens a call of another kind. Its errors, and those of the stream,
// are statuses. Receive from the stream until there is an error, or cancel ctx.
func (c *ClientConn) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return c.streamer(ctx, desc, noConn, method, c.combine(opts)...)
}

// combine returns the options of all calls and those of one.
func (c *ClientConn) combine(opts []grpc.CallOption) []grpc.CallOption {
	if len(c.opts) == 0 {
		return opts
	}
	return slices.Concat(c.opts, opts)
}

func (c *ClientConn) newStream(ctx context.Context, desc *grpc.StreamDesc, _ *grpc.ClientConn, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	s, err := c.open(ctx, desc, method, opts)
	if err != nil {
		return nil, err
	}
	return s, nil
}
