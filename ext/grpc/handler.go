package grpcparley

import (
	"context"
	"slices"

	"google.golang.org/grpc"

	"github.com/parley-rpc/parley/ext/grpc/internal/translate"
	"github.com/parley-rpc/parley/rpc"
)

// handler makes of what serves a method in grpc's world what package rpc calls.
func (r *Registrar) handler(m *rpc.Method, run func(*serverStream) error) rpc.Handler {
	fullName := "/" + m.Path()
	return func(ctx context.Context, s rpc.Stream) (err error) {
		st, err := r.newServerStream(ctx, s, m, fullName)
		if err != nil {
			return err
		}
		err = errPanicked
		defer func() { st.end(err) }()
		err = translate.FromError(run(st))
		return err
	}
}

// errPanicked is passed to stats handlers for a handler that has panicked.
// Package rpc informs the caller.
var errPanicked = rpc.Errorf(rpc.CodeInternal, "the handler panicked")

// serveUnary returns what serves a method with one message each way.
func (r *Registrar) serveUnary(d grpc.MethodDesc, impl any) func(*serverStream) error {
	around := chainUnary(r.unary)
	return func(s *serverStream) error {
		reply, err := d.Handler(impl, s.ctx, s.RecvMsg, around)
		if err != nil {
			return err
		}
		return s.SendMsg(reply)
	}
}

// serveStream returns what serves a method of another kind.
func (r *Registrar) serveStream(d grpc.StreamDesc, m *rpc.Method, impl any) func(*serverStream) error {
	serve := d.Handler
	info := &grpc.StreamServerInfo{FullMethod: "/" + m.Path(), IsClientStream: m.ClientStreams, IsServerStream: m.ServerStreams}
	for _, around := range slices.Backward(r.stream) {
		next := serve
		serve = func(srv any, s grpc.ServerStream) error { return around(srv, s, info, next) }
	}
	return func(s *serverStream) error { return serve(impl, s) }
}

// chainUnary combines interceptors, the first of which is outermost. It returns
// nil for none, as generated code requires.
func chainUnary(interceptors []grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	if len(interceptors) == 0 {
		return nil
	}
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		for _, around := range slices.Backward(interceptors) {
			next := handler
			handler = func(ctx context.Context, req any) (any, error) { return around(ctx, req, info, next) }
		}
		return handler(ctx, req)
	}
}
