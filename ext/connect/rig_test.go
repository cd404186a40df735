package parleyconnect_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"google.golang.org/protobuf/types/known/wrapperspb"

	parleyconnect "github.com/parley-rpc/parley/ext/connect"
	"github.com/parley-rpc/parley/rpc"
)

// One method of each kind.
var (
	unary    = &rpc.Method{Service: "test.Unary", Name: "Call", Idempotency: rpc.NoSideEffects}
	download = &rpc.Method{Service: "test.Download", Name: "Call", ServerStreams: true}
	upload   = &rpc.Method{Service: "test.Upload", Name: "Call", ClientStreams: true}
	bidi     = &rpc.Method{Service: "test.Bidi", Name: "Call", ClientStreams: true, ServerStreams: true}

	kinds = []*rpc.Method{unary, download, upload, bidi}
)

var quietly = rpc.WithLogger(slog.New(slog.DiscardHandler))

// serve serves h as all kinds of methods, by HTTP/1.1 and HTTP/2 without TLS,
// under the path /rpc.
func serve(t testing.TB, h rpc.Handler, opts ...rpc.ServerOption) (url string, srv *rpc.Server) {
	t.Helper()
	srv = rpc.NewServer(opts...)
	for _, m := range kinds {
		srv.Register(&rpc.Service{Name: m.Service, Methods: []rpc.ServiceMethod{{Method: m, Handler: h}}})
	}
	return serveHTTP(t, srv), srv
}

// serveHTTP serves srv under the path /rpc.
func serveHTTP(t testing.TB, srv *rpc.Server) (url string) {
	t.Helper()
	return serveWith(t, srv, func(next http.Handler) http.Handler { return next })
}

// serveWith is serveHTTP behind middleware.
func serveWith(t testing.TB, srv *rpc.Server, middleware func(http.Handler) http.Handler) (url string) {
	t.Helper()
	web := httptest.NewUnstartedServer(middleware(http.StripPrefix("/rpc", parleyconnect.NewHandler(srv))))
	web.Config.Protocols = new(http.Protocols)
	web.Config.Protocols.SetHTTP1(true)
	web.Config.Protocols.SetUnencryptedHTTP2(true)
	web.Start()
	t.Cleanup(func() {
		srv.Close()
		web.Close()
	})
	return web.URL + "/rpc"
}

// http2Client returns a client that speaks HTTP/2 without TLS.
func http2Client(t testing.TB) *http.Client {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// http1Client returns a client that speaks HTTP/1.1.
func http1Client(t testing.TB) *http.Client {
	t.Helper()
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// protocol is a way to make calls.
type protocol struct {
	name    string
	http1   bool
	options []connecthttp.Option
}

var protocols = []protocol{
	{"connect json", false, []connecthttp.Option{connecthttp.WithProtoJSON()}},
	{"connect binary", false, nil},
	{"connect get", false, []connecthttp.Option{connecthttp.WithHTTPGet()}},
	{"connect get json over http/1.1", true, []connecthttp.Option{connecthttp.WithHTTPGet(), connecthttp.WithProtoJSON()}},
	{"connect over http/1.1", true, nil},
	{"grpc", false, []connecthttp.Option{connecthttp.WithGRPC()}},
	{"grpc json", false, []connecthttp.Option{connecthttp.WithGRPC(), connecthttp.WithProtoJSON()}},
	{"grpc-web", false, []connecthttp.Option{connecthttp.WithGRPCWeb()}},
	{"grpc-web over http/1.1", true, []connecthttp.Option{connecthttp.WithGRPCWeb()}},
}

// can reports whether the protocol can make calls of a kind.
func (p *protocol) can(m *rpc.Method) bool {
	return !p.http1 || !m.ClientStreams || !m.ServerStreams
}

// client returns a client of connect.
func (p *protocol) client(t testing.TB, url string, more ...connecthttp.Option) *connect.Client {
	t.Helper()
	web := http2Client(t)
	if p.http1 {
		web = http1Client(t)
	}
	return connect.NewClient(connecthttp.NewTransport(web, url, append(more, p.options...)...))
}

// everywhere runs f with each protocol and each kind of call that it can make.
func everywhere(t *testing.T, url string, f func(*testing.T, *connect.Client, *rpc.Method)) {
	t.Helper()
	for _, p := range protocols {
		for _, m := range kinds {
			if p.can(m) {
				t.Run(p.name+"/"+m.Service, func(t *testing.T) { f(t, p.client(t, url), m) })
			}
		}
	}
}

// specOf describes a method for connect.
func specOf(m *rpc.Method) connect.Spec {
	spec := connect.Spec{Procedure: "/" + m.Path(), StreamType: connect.StreamTypeUnary}
	if m.ClientStreams {
		spec.StreamType |= connect.StreamTypeClient
	}
	if m.ServerStreams {
		spec.StreamType |= connect.StreamTypeServer
	}
	if m.Idempotency == rpc.NoSideEffects {
		spec.IdempotencyLevel = connect.IdempotencyNoSideEffects
	}
	return spec
}

func text(s string) *wrapperspb.StringValue { return wrapperspb.String(s) }

// converse makes a call: it sends all texts and receives until the end.
func converse(ctx context.Context, c *connect.Client, m *rpc.Method, texts ...string) (got []string, err error) {
	if !m.ClientStreams && !m.ServerStreams {
		res := new(wrapperspb.StringValue)
		if err := c.CallUnary(ctx, specOf(m), text(texts[0]), res); err != nil {
			return nil, err
		}
		return []string{res.Value}, nil
	}
	s, err := c.CallClientStream(ctx, specOf(m))
	if err != nil {
		return nil, err
	}
	defer s.Close()
	for _, sent := range texts {
		if err := s.Send(text(sent)); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	if err := s.CloseSend(); err != nil {
		return nil, err
	}
	for {
		msg := new(wrapperspb.StringValue)
		if err := s.Receive(msg); errors.Is(err, io.EOF) {
			return got, nil
		} else if err != nil {
			return got, err
		}
		got = append(got, msg.Value)
	}
}

// echo returns each message, or all of them together if the method has one
// response.
func echo(_ context.Context, s rpc.Stream) error {
	var all []string
	for {
		msg := new(wrapperspb.StringValue)
		err := s.Recv(msg)
		switch {
		case errors.Is(err, io.EOF) && s.Call().Method.ServerStreams:
			return nil
		case errors.Is(err, io.EOF):
			return s.Send(text(strings.Join(all, " ")))
		case err != nil:
			return err
		}
		all = append(all, msg.Value)
		if s.Call().Method.ServerStreams {
			if err := s.Send(msg); err != nil {
				return err
			}
		}
	}
}

func wantCode(t *testing.T, err error, want rpc.Code) {
	t.Helper()
	_ = errorWith(t, err, want)
}

// errorWith returns err, which has a code.
func errorWith(t *testing.T, err error, want rpc.Code) *connect.Error {
	t.Helper()
	var e *connect.Error
	if !errors.As(err, &e) || e.Code() != connect.Code(want) {
		t.Fatalf("got %v, want %v", err, want)
	}
	return e
}
