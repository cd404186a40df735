package proxy_test

import (
	"context"
	"net"
	"net/http"
	"reflect"
	"testing"

	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/ext/grpc/proxy"
	"github.com/parley-rpc/parley/rpc"
)

// TestWhatIsNoMetadataDoesNotReachABackend, even if the program has added it:
// grpc-go would fail the call.
func TestWhatIsNoMetadataDoesNotReachABackend(t *testing.T) {
	got := make(chan metadata.MD, 1)
	address, _ := listen(t, &backend{unary: func(ctx context.Context, _ *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		got <- md
		return &testgrpc.SimpleResponse{}, nil
	}})
	client := front(t, proxy.Config{
		Routes: []proxy.Route{{Backend: connect(t, address)}},
		Metadata: func(_ context.Context, md metadata.MD) error {
			md["X-Upper"], md["x!y"], md["x-name"] = []string{"1"}, []string{"2"}, []string{"Ada", "Zoë", " Bob "}
			md["x-bytes-bin"] = []string{"\x00\xff"}
			return nil
		},
	})
	if _, err := call(t.Context(), client, ""); err != nil {
		t.Fatal(err)
	}
	md := <-got
	for key, want := range map[string][]string{"x-upper": {"1"}, "x!y": nil, "x-name": {"Ada", "Bob"}, "x-bytes-bin": {"\x00\xff"}} {
		if !reflect.DeepEqual(md[key], want) {
			t.Errorf("%s: %q, want %q", key, md[key], want)
		}
	}
}

// serveHTTP2 serves h as a backend whose headers are not checked by a gRPC
// library.
func serveHTTP2(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Server{Handler: h, Protocols: new(http.Protocols)}
	web.Protocols.SetUnencryptedHTTP2(true)
	served := make(chan struct{})
	go func() { defer close(served); _ = web.Serve(l) }()
	t.Cleanup(func() { _ = web.Close(); <-served })
	return l.Addr().String()
}

// TestWhatIsNoMetadataDoesNotFailAnAnswer: a proxy before the backend may add
// headers that cannot be sent to callers.
func TestWhatIsNoMetadataDoesNotFailAnAnswer(t *testing.T) {
	address := serveHTTP2(t, func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "application/grpc")
		h["X-Served-By"], h["X!y"], h["X-Kept"] = []string{"Zoë"}, []string{"1"}, []string{"yes"}
		_, _ = w.Write(make([]byte, 5)) // an empty message
		for key, value := range map[string]string{"Grpc-Status": "0", "X-Trail": "Zoë", "Kept": "too"} {
			h.Set(http.TrailerPrefix+key, value)
		}
	})
	client := front(t, proxy.Config{Routes: []proxy.Route{{Backend: connect(t, address)}}})
	var header, trailer rpc.Metadata
	if _, err := call(t.Context(), client, "", rpc.ReadHeader(&header), rpc.ReadTrailer(&trailer)); err != nil {
		t.Fatal(err)
	}
	if header.Get("x-kept") != "yes" || header["x-served-by"] != nil || header["x!y"] != nil {
		t.Errorf("the header is %q", header)
	}
	if !reflect.DeepEqual(trailer, rpc.Metadata{"kept": {"too"}}) {
		t.Errorf("the trailer is %q", trailer)
	}
}

func TestKeysThatBackendsCannotBeSentAreKnown(t *testing.T) {
	for name, want := range map[string]bool{
		"authorization": true, "Cookie": true, "x-trace-bin": true,
		"": false, "x!y": false, "Host": false, "TE": false, "grpc-timeout": false, "Parley-X": false, "connection": false,
	} {
		if proxy.ValidKey(name) != want {
			t.Errorf("%q: %t", name, !want)
		}
	}
	if got := proxy.HeaderValues(http.Header{"Cookie": {"a=1", "b=ü"}}, "cookie"); !reflect.DeepEqual(got, []string{"a=1"}) {
		t.Errorf("got %q", got)
	}
}
