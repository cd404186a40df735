package grpcparley

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/ext/grpc/internal/keys"
	"github.com/parley-rpc/parley/ext/grpc/internal/translate"
	"github.com/parley-rpc/parley/rpc"
)

// serverStream is the callee's end of a call of any kind.
type serverStream struct {
	transportStream
	ctx    context.Context // of the call, as grpc's handlers expect it
	stream rpc.Stream
	codec  encoding.CodecV2
	log    *slog.Logger
	got    bool // a message
}

// newServerStream prepares a call that has come.
func (r *Registrar) newServerStream(ctx context.Context, stream rpc.Stream, m *rpc.Method, fullName string) (*serverStream, error) {
	call := stream.Call()
	s := &serverStream{
		transportStream: transportStream{call: call, method: fullName, watch: watch{handlers: r.stats}},
		stream:          stream,
		codec:           codecOf(call.CodecName()),
		log:             r.log,
	}
	if s.codec == nil {
		return nil, rpc.Errorf(rpc.CodeUnimplemented, "the codec %.200q is not registered with package grpc/encoding of the server", call.CodecName())
	}
	from := toPeer(call.Peer, rpc.Principal(ctx))
	header := r.incoming(call)
	ctx = metadata.NewIncomingContext(peer.NewContext(ctx, from), header)
	ctx = s.watch.tag(ctx, m, false)
	if s.watch.on() {
		s.watch.tell(&stats.InHeader{FullMethod: s.method, Header: header.Copy(), RemoteAddr: from.Addr, LocalAddr: from.LocalAddr})
		s.watch.begin(m, false)
	}
	s.ctx = grpc.NewContextWithServerTransportStream(ctx, &s.transportStream)
	return s, nil
}

// incoming is the metadata that a handler of grpc finds: the call's, without
// what proxies say of a caller, and what grpc adds of the connection.
func (r *Registrar) incoming(call *rpc.Call) metadata.MD {
	md := translate.ToMD(call.Header())
	for key := range md {
		if said := keys.SaidByProxies.Fit(keys.Canonical(key)); said > r.allow.Fit(key) {
			delete(md, key)
		}
	}
	known := r.peerMetadataOf(call.Peer)
	if len(known.authority) > 0 {
		md[":authority"] = known.authority
	}
	if len(known.agent) > 0 {
		md["user-agent"] = known.agent
	}
	return md
}

// end calls the stats handlers for the end of the call.
func (s *serverStream) end(err error) {
	if !s.watch.on() {
		return
	}
	if h, _ := s.call.ResponseHeader(); len(h) > 0 { // it is sent ahead of the status at the latest
		s.tellHeader()
	}
	s.watch.tell(&stats.OutTrailer{Trailer: translate.ToMD(s.call.Trailer())})
	s.watch.end(toError(err))
}

func (s *serverStream) Context() context.Context { return s.ctx }

// SetTrailer adds to the trailer. It leaves out and logs invalid metadata.
func (s *serverStream) SetTrailer(md metadata.MD) {
	if err := s.transportStream.SetTrailer(md); err != nil {
		s.log.WarnContext(s.ctx, "parley: a trailer was not set", "method", s.method, "error", err)
	}
}

func (s *serverStream) SendMsg(msg any) error {
	data, err := encode(s.codec, msg)
	if err != nil {
		return err
	}
	defer data.Free()
	raw := rpc.Raw(data.ReadOnlyData())
	s.tellHeader()
	if err := s.stream.Send(&raw); err != nil {
		return toError(err)
	}
	s.watch.sent(msg, len(raw))
	return nil
}

func (s *serverStream) RecvMsg(msg any) error {
	var raw rpc.Raw
	err := s.stream.Recv(&raw)
	switch {
	case errors.Is(err, io.EOF) && !s.got && !s.call.Method.ClientStreams:
		return status.Errorf(codes.Internal, "%s takes one message, received none", s.method)
	case errors.Is(err, io.EOF):
		return io.EOF
	case err != nil:
		return toError(err)
	}
	s.got = true
	if err := decode(s.codec, raw, msg); err != nil {
		return err
	}
	s.watch.received(msg, len(raw))
	return nil
}

// transportStream is in the context for functions such as grpc.SetHeader.
type transportStream struct {
	call   *rpc.Call
	method string // "/service/name"
	watch  watch
	header sync.Once // stats handlers have been called for it
}

func (t *transportStream) Method() string { return t.method }

func (t *transportStream) SetHeader(md metadata.MD) error {
	return toError(translate.Set(md, t.call.SetHeader))
}

func (t *transportStream) SendHeader(md metadata.MD) error {
	if err := t.SetHeader(md); err != nil {
		return err
	}
	t.tellHeader()
	return toError(t.call.SendHeader())
}

func (t *transportStream) SetTrailer(md metadata.MD) error {
	return toError(translate.Set(md, t.call.SetTrailer))
}

// tellHeader calls the stats handlers for the header, which is about to be
// sent.
func (t *transportStream) tellHeader() {
	if !t.watch.on() {
		return
	}
	t.header.Do(func() {
		h, _ := t.call.ResponseHeader() // never fails at this end
		t.watch.tell(&stats.OutHeader{Header: translate.ToMD(h)})
	})
}
