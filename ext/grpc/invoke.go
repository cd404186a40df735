package grpcparley

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/rpc"
)

// unary is the description of unary methods, for Invoke alone.
var unary = new(grpc.StreamDesc)

// invoke makes a unary call: package rpc opens it together with its message.
func (c *ClientConn) invoke(ctx context.Context, method string, req, reply any, _ *grpc.ClientConn, opts ...grpc.CallOption) error {
	s, err := c.newCall(unary, method, opts)
	if err != nil {
		return err
	}
	if s.isPlain() {
		if data, err := s.encode(req); err == nil {
			s.raw = data.ReadOnlyData()
			err = s.callUnary(ctx, c.caller, reply)
			data.Free()
			s.tellFinish(err)
			return err
		}
	}
	ctx = s.begin(ctx)
	unsent, err := s.startUnary(ctx, c.caller, req)
	switch {
	case err != nil:
		return s.refuse(err)
	case unsent != nil:
		return s.fail(unsent)
	}
	return s.recv(reply, &s.raw)
}

// isPlain reports whether only the response of the call is asked for, and
// nothing else is observed.
func (s *clientStream) isPlain() bool {
	return !s.watch.on() && len(s.info.headers)+len(s.info.trailers)+len(s.info.peers) == 0
}

// callUnary makes a plain call with the message in raw.
func (s *clientStream) callUnary(ctx context.Context, caller rpc.Caller, reply any) error {
	opts, err := s.options(ctx, caller)
	if err != nil {
		return err
	}
	res, err := rpc.CallUnary[rpc.Raw, rpc.Raw](ctx, caller, s.method, &s.raw, opts...)
	if err != nil {
		return toError(err)
	}
	return s.decode(*res, reply)
}

// startUnary opens a unary call together with its message. If that cannot be
// sent, for a reason that is found at this end, it opens the call without, and
// returns the reason as well.
func (s *clientStream) startUnary(ctx context.Context, caller rpc.Caller, msg any) (unsent, err error) {
	opts, err := s.options(ctx, caller)
	if err != nil {
		return nil, err
	}
	s.ctx = ctx
	data, unsent := s.encode(msg)
	if unsent != nil {
		if s.stream, err = caller.Open(ctx, s.method, opts...); err != nil {
			return nil, toError(err)
		}
		s.tellOutHeader()
		return unsent, nil
	}
	s.raw = data.ReadOnlyData()
	s.stream, err = rpc.OpenUnary(ctx, caller, s.method, &s.raw, opts...)
	size := len(s.raw)
	s.raw = nil // Recv may write into it
	data.Free()
	if s.stream == nil {
		return nil, toError(err)
	}
	s.tellOutHeader()
	if err == nil { // otherwise Recv tells
		s.watch.sent(msg, size)
	}
	return nil, nil
}

// decode decodes a message that is not too long.
func (s *clientStream) decode(raw rpc.Raw, msg any) error {
	if limit := s.info.maxRecv; limit != nil && len(raw) > *limit {
		return status.Errorf(codes.ResourceExhausted, "a message of %d bytes exceeds the receive limit of %d", len(raw), *limit)
	}
	return decode(s.info.codec, raw, msg)
}
