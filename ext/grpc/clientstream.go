package grpcparley

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/ext/grpc/internal/translate"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// clientStream is the caller's end of a call of any kind.
type clientStream struct {
	info   *callInfo
	method *rpc.Method
	ctx    context.Context // of the call, with its peer
	cancel context.CancelFunc
	stop   func() bool // ends the watch over ctx
	stream rpc.Stream
	watch  watch

	closed atomic.Bool // CloseSend was called, or the only message sent
	header sync.Once   // stats handlers have been called for it

	ending sync.Once
	failed atomic.Pointer[error] // why this end has abandoned the call
}

// open begins a call.
func (c *ClientConn) open(ctx context.Context, desc *grpc.StreamDesc, method string, opts []grpc.CallOption) (_ *clientStream, err error) {
	info, err := newCallInfo(opts)
	s := &clientStream{info: info, watch: watch{handlers: c.stats, client: true}}
	defer func() {
		if err != nil {
			s.tellFinish(err)
		}
	}()
	if err != nil {
		return nil, err
	}
	if s.method, err = methodOf(method, desc); err != nil {
		return nil, err
	}
	ctx, s.cancel = context.WithCancel(ctx)
	ctx = s.watch.tag(ctx, &stats.RPCTagInfo{FullMethodName: "/" + s.method.Path(), FailFast: info.failFast})
	s.watch.begin(s.method, info.failFast)
	if err := s.start(ctx, c.caller); err != nil {
		s.watch.end(err)
		s.cancel()
		return nil, err
	}
	if desc != unary { // which waits in RecvMsg until it ends
		s.stop = context.AfterFunc(ctx, func() {
			why := status.FromContextError(ctx.Err()).Err()
			s.failed.CompareAndSwap(nil, &why)
			s.end(why)
		})
	}
	return s, nil
}

// start opens the call with what is to be sent ahead of its messages.
func (s *clientStream) start(ctx context.Context, caller rpc.Caller) error {
	out, _ := metadata.FromOutgoingContext(ctx)
	opts := s.info.rpc
	for key, values := range out {
		if !translate.Reserved(key) {
			opts = append(opts, rpc.WithMetadata(key, values...))
		}
	}
	if s.info.creds != nil {
		md, err := credentialsFor(ctx, s.info.creds, caller, s.method)
		if err != nil {
			return err
		}
		for key, value := range md {
			opts = append(opts, rpc.WithMetadata(key, value))
		}
	}
	stream, err := caller.Open(ctx, s.method, opts...)
	if err != nil {
		return toError(err)
	}
	s.stream = stream
	at := toPeer(stream.Call().Peer, "")
	s.ctx = peer.NewContext(ctx, at)
	if s.watch.on() {
		s.watch.tell(&stats.OutHeader{
			Client: true, Compression: s.info.compress, Header: translate.ToMD(stream.Call().Header()),
			FullMethod: "/" + s.method.Path(), RemoteAddr: at.Addr, LocalAddr: at.LocalAddr,
		})
	}
	return nil
}

// toError returns an error of package rpc as one of grpc's statuses.
func toError(err error) error { return translate.ToStatus(err).Err() }

func (s *clientStream) Context() context.Context { return s.ctx }

// Header waits for the header. A call that has failed without one has none, and
// RecvMsg returns the error.
func (s *clientStream) Header() (metadata.MD, error) {
	h, err := s.stream.Call().ResponseHeader()
	if err != nil {
		return nil, nil //nolint:nilerr // as grpc's contract has it
	}
	s.tellHeader()
	return translate.ToMD(h), nil
}

func (s *clientStream) Trailer() metadata.MD { return translate.ToMD(s.stream.Call().Trailer()) }

func (s *clientStream) CloseSend() error {
	if !s.closed.Swap(true) {
		_ = s.stream.CloseSend() // what is wrong is the status of the call, which RecvMsg tells
	}
	return nil
}

func (s *clientStream) SendMsg(msg any) error {
	once := !s.method.ClientStreams
	if s.closed.Load() || once && s.closed.Swap(true) {
		return s.fail(status.Errorf(codes.Internal, "SendMsg of %s called after the last message", s.method.Path()))
	}
	raw, free, err := encode(s.info.codec, msg)
	if err != nil {
		return s.fail(err)
	}
	defer free()
	if limit := s.info.maxSend; limit != nil && len(raw) > *limit {
		return s.fail(status.Errorf(codes.ResourceExhausted, "a message of %d bytes exceeds the send limit of %d", len(raw), *limit))
	}
	switch err := s.stream.Send(&raw); {
	case errors.Is(err, transport.ErrConcurrent):
		return toError(err)
	case err != nil && once:
		return nil // RecvMsg tells
	case err != nil:
		return io.EOF
	}
	s.watch.sent(msg, len(raw))
	return nil
}

func (s *clientStream) RecvMsg(msg any) error {
	var raw rpc.Raw
	if err := s.stream.Recv(&raw); err != nil {
		return s.recvEnd(err)
	}
	s.tellHeader()
	if limit := s.info.maxRecv; limit != nil && len(raw) > *limit {
		return s.fail(status.Errorf(codes.ResourceExhausted, "a message of %d bytes exceeds the receive limit of %d", len(raw), *limit))
	}
	if err := decode(s.info.codec, raw, msg); err != nil {
		return s.fail(err)
	}
	s.watch.received(msg, len(raw))
	if !s.method.ServerStreams {
		s.finish(nil) // the status has come with the only message
	}
	return nil
}

// recvEnd ends the call with the error of Recv.
func (s *clientStream) recvEnd(err error) error {
	switch failed := s.failed.Load(); {
	case failed != nil:
		return *failed
	case errors.Is(err, transport.ErrConcurrent):
		return toError(err)
	case errors.Is(err, io.EOF):
		s.finish(nil)
		return io.EOF
	}
	err = toError(err)
	s.finish(err)
	return err
}

// fail abandons the call for a reason that is found at this end.
func (s *clientStream) fail(why error) error {
	s.failed.CompareAndSwap(nil, &why)
	s.finish(why)
	return why
}

// finish ends the use of the call with its status; nil is OK.
func (s *clientStream) finish(status error) {
	if s.stop != nil {
		s.stop()
	}
	s.end(status)
}

// end is finish, also when ctx ends. A second caller waits until options are
// filled in.
func (s *clientStream) end(status error) {
	first := false
	s.ending.Do(func() {
		first = true
		_ = s.stream.Close() // after the end it does nothing
		s.fillIn()
	})
	if !first {
		return
	}
	if s.watch.on() {
		s.tellHeader()
		if s.ctx.Err() == nil {
			s.watch.tell(&stats.InTrailer{Client: true, Trailer: s.Trailer()})
		}
		s.watch.end(status)
	}
	s.tellFinish(status)
	s.cancel()
}

// fillIn stores what options of the call have asked for.
func (s *clientStream) fillIn() {
	call := s.stream.Call()
	if h, err := call.ResponseHeader(); err == nil {
		for _, at := range s.info.headers {
			*at = translate.ToMD(h)
		}
	}
	for _, at := range s.info.trailers {
		*at = translate.ToMD(call.Trailer())
	}
	for _, at := range s.info.peers {
		*at = *toPeer(call.Peer, "")
	}
}

// tellHeader calls the stats handlers for a header that has arrived.
func (s *clientStream) tellHeader() {
	if !s.watch.on() {
		return
	}
	s.header.Do(func() {
		if h, err := s.stream.Call().ResponseHeader(); err == nil {
			s.watch.tell(&stats.InHeader{Client: true, Header: translate.ToMD(h)})
		}
	})
}

func (s *clientStream) tellFinish(status error) {
	for _, f := range s.info.onFinish {
		f(status)
	}
}
