package proxy_test

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"
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

func TestTheProgramMayChangeWhatABackendReceives(t *testing.T) {
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
			md.Set("connection", "close") // does not pass from the backend either
			return nil
		},
	})
	if got, err := call(t.Context(), client, "", rpc.WithMetadata("x-caller", "forged")); err != nil || got != "parley.v1" {
		t.Errorf("%q, %v", got, err)
	}
	_, err := call(t.Context(), client, "", rpc.WithMetadata("x-secret", "1"))
	wantError(t, err, rpc.CodePermissionDenied, "not you")
}

// TestCallCannotSayWhatAProxySays sends the handshake through a proxy that has
// authenticated the caller, and a call with another name.
func TestCallCannotSayWhatAProxySays(t *testing.T) {
	got := make(chan metadata.MD, 1)
	address, _ := listen(t, &backend{
		unary: func(ctx context.Context, _ *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
			md, _ := metadata.FromIncomingContext(ctx)
			got <- md
			return &testgrpc.SimpleResponse{}, nil
		},
		duplex: func(s duplexStream) error {
			md, _ := metadata.FromIncomingContext(s.Context())
			got <- md
			return nil
		},
	})
	p, err := proxy.New(proxy.Config{
		Routes:  []proxy.Route{{Backend: connect(t, address)}},
		Headers: proxy.HeaderRules{Forward: []string{"X-Auth-Request-User", "X-Groups"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := rpc.NewServer()
	srv.HandleUnknown(p.Handle)
	client := dial(t, srv, rpc.WithHTTPHeader(http.Header{"X-Auth-Request-User": {"mallory"}}))
	var says []rpc.CallOption
	for _, key := range []string{
		"x-auth-request-user", "x_auth_request_user", "x-auth-request-user-bin", "x-groups", "x-forwarded-client-cert", "x-real-ip", "forwarded",
		"x-forwarded-host", "x-envoy-internal", "grpc-previous-rpc-attempts",
	} {
		says = append(says, rpc.WithMetadata(key, "admin"))
	}
	for kind, call := range map[string]func(){
		"unary": func() {
			if _, err := call(t.Context(), client, "", says...); err != nil {
				t.Error(err)
			}
		},
		"duplex": func() { wantEnd(t, open(t, client, duplex, says...)) },
	} {
		call()
		md := <-got
		for key, values := range md {
			if slices.Contains(values, "admin") {
				t.Errorf("%s: the backend got %s: %q", kind, key, values)
			}
		}
		if !slices.Equal(md["x-auth-request-user"], []string{"mallory"}) {
			t.Errorf("%s: the backend got the user %q", kind, md["x-auth-request-user"])
		}
	}
}

// TestCookiesOfABackendAreNotForScripts: HttpOnly cookies must not reach a page
// as metadata.
func TestCookiesOfABackendAreNotForScripts(t *testing.T) {
	client := through(t, &backend{unary: func(ctx context.Context, _ *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
		md := metadata.Pairs("set-cookie", "session=secret; HttpOnly", "kept", "yes")
		return &testgrpc.SimpleResponse{}, errors.Join(grpc.SetHeader(ctx, md), grpc.SetTrailer(ctx, md))
	}})
	var header, trailer rpc.Metadata
	if _, err := call(t.Context(), client, "", rpc.ReadHeader(&header), rpc.ReadTrailer(&trailer)); err != nil {
		t.Fatal(err)
	}
	for _, md := range []rpc.Metadata{header, trailer} {
		if !reflect.DeepEqual(md, rpc.Metadata{"kept": {"yes"}}) {
			t.Errorf("got %q", md)
		}
	}
}
