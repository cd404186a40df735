package grpcparley

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
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
	info   callInfo
	method *rpc.Method
	ctx    context.Context // of the call, with its peer unless Invoke makes it
	cancel context.CancelFunc
	stop   func() bool // ends the watch over ctx; nil: Invoke watches it in Recv
	stream rpc.Stream
	watch  watch

	raw rpc.Raw // the message of Invoke, and then the response

	closed atomic.Bool // CloseSend was called, or the only message sent
	header sync.Once   // stats handlers have been called for it

	ending sync.Once
	failed atomic.Pointer[error] // why this end has abandoned the call
}

// newCall prepares a call.
func (c *ClientConn) newCall(desc *grpc.StreamDesc, method string, opts []grpc.CallOption) (s *clientStream, err error) {
	s = &clientStream{watch: watch{handlers: c.stats, client: true}}
	if err = s.info.read(opts); err == nil {
		s.method, err = c.methods.of(method, desc)
	}
	if err != nil {
		s.tellFinish(err)
	}
	return s, err
}

// open begins a call of any kind but that of Invoke.
func (c *ClientConn) open(ctx context.Context, desc *grpc.StreamDesc, method string, opts []grpc.CallOption) (*clientStream, error) {
	s, err := c.newCall(desc, method, opts)
	if err != nil {
		return nil, err
	}
	ctx = s.begin(ctx)
	if err = s.start(ctx, c.caller); err != nil {
		return nil, s.refuse(err)
	}
	s.stop = context.AfterFunc(ctx, func() {
		why := status.FromContextError(ctx.Err()).Err()
		s.failed.CompareAndSwap(nil, &why)
		s.end(why)
	})
	return s, nil
}

// begin makes the context of the call.
func (s *clientStream) begin(ctx context.Context) context.Context {
	ctx, s.cancel = context.WithCancel(ctx)
	ctx = s.watch.tag(ctx, s.method, s.info.failFast)
	s.watch.begin(s.method, s.info.failFast)
	return ctx
}

// refuse ends a call that could not be opened, and returns its status.
func (s *clientStream) refuse(status error) error {
	s.watch.end(status)
	s.cancel()
	s.tellFinish(status)
	return status
}

// start opens the call.
func (s *clientStream) start(ctx context.Context, caller rpc.Caller) error {
	opts, err := s.options(ctx, caller)
	if err != nil {
		return err
	}
	if s.stream, err = caller.Open(ctx, s.method, opts...); err != nil {
		return toError(err)
	}
	s.ctx = peer.NewContext(ctx, toPeer(s.stream.Call().Peer, ""))
	s.tellOutHeader()
	return nil
}

// options returns the options of the call, with the metadata that is sent.
func (s *clientStream) options(ctx context.Context, caller rpc.Caller) ([]rpc.CallOption, error) {
	opts := s.info.rpc
	if out, ok := metadata.FromOutgoingContext(ctx); ok {
		for key, values := range out {
			if !translate.Reserved(key) {
				opts = append(opts, rpc.WithMetadata(key, values...))
			}
		}
	}
	if s.info.creds != nil {
		md, err := credentialsFor(ctx, s.info.creds, caller, s.method)
		if err != nil {
			return nil, err
		}
		for key, value := range md {
			opts = append(opts, rpc.WithMetadata(key, value))
		}
	}
	return opts, nil
}

// tellOutHeader calls the stats handlers for the header, which was sent.
func (s *clientStream) tellOutHeader() {
	if !s.watch.on() {
		return
	}
	call := s.stream.Call()
	at := toPeer(call.Peer, "")
	s.watch.tell(&stats.OutHeader{
		Client: true, Compression: s.info.compress, Header: translate.ToMD(call.Header()),
		FullMethod: "/" + s.method.Path(), RemoteAddr: at.Addr, LocalAddr: at.LocalAddr,
	})
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
	data, err := s.encode(msg)
	if err != nil {
		return s.fail(err)
	}
	defer data.Free()
	raw := rpc.Raw(data.ReadOnlyData())
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

// encode encodes a message that is not too long.
func (s *clientStream) encode(msg any) (mem.Buffer, error) {
	data, err := encode(s.info.codec, msg)
	if err != nil {
		return nil, err
	}
	if limit, size := s.info.maxSend, data.Len(); limit != nil && size > *limit {
		data.Free()
		return nil, status.Errorf(codes.ResourceExhausted, "a message of %d bytes exceeds the send limit of %d", size, *limit)
	}
	return data, nil
}

func (s *clientStream) RecvMsg(msg any) error { return s.recv(msg, new(rpc.Raw)) }

// recv receives a message by way of data, which is empty.
func (s *clientStream) recv(msg any, data *rpc.Raw) error {
	if err := s.stream.Recv(data); err != nil {
		return s.recvEnd(err)
	}
	raw := *data
	s.tellHeader()
	if err := s.decode(raw, msg); err != nil {
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
	for _, at := range s.info.headers {
		if h, err := call.ResponseHeader(); err == nil {
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
