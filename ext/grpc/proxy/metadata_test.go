package proxy_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/ext/grpc/proxy"
	"github.com/parley-rpc/parley/rpc"
)

func TestMetadataPassesBothWays(t *testing.T) {
	got := make(chan metadata.MD, 1)
	client := through(t, &backend{unary: func(ctx context.Context, _ *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		got <- md
		err := errors.Join(
			grpc.SetHeader(ctx, metadata.Pairs("h", "1", "h", "2", "h-bin", "\x00\xff", "parley-x", "reserved")),
			grpc.SetTrailer(ctx, metadata.Pairs("t", "3", "t-bin", "\x80", "parley-x", "reserved")))
		return &testgrpc.SimpleResponse{}, err
	}})
	var header, trailer rpc.Metadata
	_, err := call(t.Context(), client, "", rpc.ReadHeader(&header), rpc.ReadTrailer(&trailer),
		rpc.WithMetadata("key", "a", "b"), rpc.WithMetadata("key-bin", "\xff\x00"),
		rpc.WithMetadata("content-type", "text/html"), rpc.WithMetadata("grpc-timeout", "1n"), rpc.WithMetadata("user-agent", "me"),
		rpc.WithMetadata("host", "elsewhere"), rpc.WithMetadata("connection", "close"), rpc.WithMetadata("te", "gzip"))
	if err != nil {
		t.Fatal(err)
	}
	md := <-got
	if md := rpc.Metadata(md); !reflect.DeepEqual(md["key"], []string{"a", "b"}) || md.Get("key-bin") != "\xff\x00" {
		t.Errorf("the backend got %v", md)
	}
	for _, key := range []string{"host", "connection", "te", "grpc-timeout"} {
		if v := md[key]; v != nil {
			t.Errorf("the backend got %s: %q", key, v)
		}
	}
	if v := md["content-type"]; !reflect.DeepEqual(v, []string{"application/grpc+proto"}) {
		t.Errorf("the backend got the content type %q", v)
	}
	if !reflect.DeepEqual(header, rpc.Metadata{"h": {"1", "2"}, "h-bin": {"\x00\xff"}}) {
		t.Errorf("the caller got the header %q", header)
	}
	if !reflect.DeepEqual(trailer, rpc.Metadata{"t": {"3"}, "t-bin": {"\x80"}}) {
		t.Errorf("the caller got the trailer %q", trailer)
	}
}

func TestTheHeaderIsPassedOnBeforeAnyMessage(t *testing.T) {
	seen := make(chan struct{})
	client := through(t, &backend{duplex: func(s duplexStream) error {
		if err := s.SendHeader(metadata.Pairs("early", "yes")); err != nil {
			return err
		}
		<-seen
		return nil
	}})
	s := open(t, client, duplex)
	header, err := s.Call().ResponseHeader()
	if err != nil || header.Get("early") != "yes" {
		t.Fatalf("%v, %v", header, err)
	}
	close(seen)
	wantEnd(t, s)
}

func TestMetadataThatCannotTravelFailsTheCall(t *testing.T) {
	many := metadata.MD{"many": make([]string, 257)}
	client := through(t, &backend{
		unary: func(ctx context.Context, _ *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
			return &testgrpc.SimpleResponse{}, grpc.SetHeader(ctx, many)
		},
		duplex: func(s duplexStream) error {
			s.SetTrailer(many)
			return nil
		},
	})
	_, err := call(t.Context(), client, "")
	wantError(t, err, rpc.CodeInternal, "its header cannot be passed on")
	wantError(t, open(t, client, duplex).Recv(new(rpc.Raw)), rpc.CodeInternal, "its trailer cannot be passed on")
}

func TestTheProgramMayChangeWhatABackendIsTold(t *testing.T) {
	address, _ := listen(t, &backend{unary: func(ctx context.Context, _ *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		return &testgrpc.SimpleResponse{Payload: payload(strings.Join(md["x-caller"], ","))}, nil
	}})
	client := front(t, proxy.Config{
		Routes: []proxy.Route{{Backend: connect(t, address)}},
		Metadata: func(ctx context.Context, md metadata.MD) error {
			if len(md["x-secret"]) > 0 {
				return rpc.Errorf(rpc.CodePermissionDenied, "not you")
			}
			md.Set("x-caller", rpc.FromContext(ctx).Peer.Protocol)
			md.Set("connection", "close") // does not pass from here either
			return nil
		},
	})
	if got, err := call(t.Context(), client, "", rpc.WithMetadata("x-caller", "forged")); err != nil || got != "parley.v1" {
		t.Errorf("%q, %v", got, err)
	}
	_, err := call(t.Context(), client, "", rpc.WithMetadata("x-secret", "1"))
	wantError(t, err, rpc.CodePermissionDenied, "not you")
}
