package proxy_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/ext/grpc/proxy"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

func TestAMessageOverTheLimitFailsItsCall(t *testing.T) {
	address, _ := listen(t, &backend{unary: answer}, grpc.MaxRecvMsgSize(1<<20))
	conn := connect(t, address)
	client := front(t, proxy.Config{MaxMessage: 100_000, Routes: []proxy.Route{{Backend: conn}}},
		rpc.WithTransport(transport.Parameters{MaxMessage: 2 << 20}))
	for _, c := range []struct {
		size int
		code rpc.Code
	}{
		{90_000, rpc.CodeOK},
		{200_000, rpc.CodeResourceExhausted}, // from the backend
		{1<<20 + 1, rpc.CodeResourceExhausted},
		{3 << 20, rpc.CodeResourceExhausted}, // here
	} {
		_, err := call(t.Context(), client, strings.Repeat("x", c.size))
		if rpc.CodeOf(err) != c.code {
			t.Errorf("%d bytes: %v", c.size, err)
		}
	}
}

// TestACallersOwnLimitHoldsToo if it is lower than the proxy's.
func TestACallersOwnLimitHoldsToo(t *testing.T) {
	address, _ := listen(t, &backend{unary: answer})
	p, err := proxy.New(proxy.Config{Routes: []proxy.Route{{Backend: connect(t, address)}}})
	if err != nil {
		t.Fatal(err)
	}
	srv := rpc.NewServer()
	srv.HandleUnknown(p.Handle)
	client := dial(t, srv, rpc.WithTransport(transport.Parameters{MaxMessage: 64 << 10}))
	_, err = call(t.Context(), client, strings.Repeat("x", 100_000))
	wantError(t, err, rpc.CodeResourceExhausted, "")
	if got, err := call(t.Context(), client, "small"); err != nil || got != "small" {
		t.Errorf("then %q, %v", got, err)
	}
}

func TestLargeMessagesPassIfAllLimitsAllow(t *testing.T) {
	const limit = 9 << 20
	address, _ := listen(t, &backend{unary: answer}, grpc.MaxRecvMsgSize(limit))
	conn := connect(t, address)
	client := front(t, proxy.Config{MaxMessage: limit, Routes: []proxy.Route{{Backend: conn}}},
		rpc.WithTransport(transport.Parameters{MaxMessage: limit}))
	body := strings.Repeat("x", 8<<20)
	if got, err := call(t.Context(), client, body); err != nil || got != body {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}

func TestCompressedCallsPass(t *testing.T) {
	body := strings.Repeat("compress me ", 10_000)
	seen := make(chan metadata.MD, 1)
	address, _ := listen(t, &backend{unary: func(ctx context.Context, req *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		seen <- md
		return answer(ctx, req)
	}})
	// The backend compresses its response like the request: with gzip.
	for _, conn := range []*grpc.ClientConn{connect(t, address), connect(t, address, grpc.WithDefaultCallOptions(grpc.UseCompressor("gzip")))} {
		client := front(t, proxy.Config{Routes: []proxy.Route{{Backend: conn}}})
		got, err := call(t.Context(), client, body, rpc.WithCompression(rpc.CompressionGzip))
		if err != nil || got != body {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		if md := <-seen; md.Get("content-type")[0] != "application/grpc+proto" {
			t.Errorf("got %v", md)
		}
	}
}

// jsonCodec is a backend's codec for what parley calls "json".
type jsonCodec struct{}

func (jsonCodec) Name() string                       { return "json" }
func (jsonCodec) Marshal(v any) ([]byte, error)      { return json.Marshal(v) }
func (jsonCodec) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }

func TestTheNameOfACodecIsPassedOn(t *testing.T) {
	contentType := make(chan string, 1)
	impl := &backend{unary: func(ctx context.Context, req *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		contentType <- md.Get("content-type")[0]
		return answer(ctx, req)
	}}
	address, _ := listen(t, impl, grpc.ForceServerCodec(jsonCodec{}))
	client := front(t, proxy.Config{Routes: []proxy.Route{{Backend: connect(t, address)}}})
	got, err := call(t.Context(), client, "hi", rpc.WithCodecName(rpc.CodecJSON))
	if err != nil || got != "hi" {
		t.Fatalf("%q, %v", got, err)
	}
	if got := <-contentType; got != "application/grpc+json" {
		t.Errorf("the backend got %s", got)
	}
	// A codec that the proxy does not know.
	s := open(t, client, unary, rpc.WithRawCodec("made-up"))
	raw := rpc.Raw(`{}`)
	if err := s.Send(&raw); err != nil {
		t.Fatal(err)
	}
	if err := s.Recv(&raw); err != nil || string(raw) != "{}" {
		t.Fatalf("%s, %v", raw, err)
	}
	if got := <-contentType; got != "application/grpc+made-up" {
		t.Errorf("the backend got %s", got)
	}
}

func TestABackendWithoutTheCodecSaysSo(t *testing.T) {
	client := through(t, &backend{unary: answer})
	_, err := call(t.Context(), client, "hi", rpc.WithCodecName(rpc.CodecJSON))
	if e := new(rpc.Error); !errors.As(err, &e) || e.Code() != rpc.CodeInternal && e.Code() != rpc.CodeUnimplemented {
		t.Fatalf("got %v", err)
	}
}
