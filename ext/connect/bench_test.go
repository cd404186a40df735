package parleyconnect_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
)

// serveConnect serves echo of a unary method by connect-go alone.
func serveConnect(b *testing.B) (url string) {
	b.Helper()
	server := connect.NewServer()
	server.Register(connect.Method{Spec: specOf(unary), Handler: func(_ context.Context, _ connect.Spec, s connect.ServerStream) error {
		msg := new(wrapperspb.StringValue)
		if err := s.Receive(msg); err != nil {
			return err
		}
		return s.Send(msg)
	}})
	mux := http.NewServeMux()
	connecthttp.Mount(mux, server)
	web := httptest.NewUnstartedServer(mux)
	web.Config.Protocols = new(http.Protocols)
	web.Config.Protocols.SetHTTP1(true)
	web.Config.Protocols.SetUnencryptedHTTP2(true)
	web.Start()
	b.Cleanup(web.Close)
	return web.URL
}

// serveParley serves the same by a rpc.Server.
func serveParley(b *testing.B) (url string) {
	b.Helper()
	url, _ = serve(b, rpc.UnaryHandler(func(_ context.Context, msg *wrapperspb.StringValue) (*wrapperspb.StringValue, error) {
		return msg, nil
	}))
	return url
}

// BenchmarkUnary compares small calls with those of connect-go alone. The
// client is the same.
func BenchmarkUnary(b *testing.B) {
	for _, p := range protocols {
		for _, server := range []struct {
			name  string
			serve func(*testing.B) string
		}{{"parley", serveParley}, {"connect", serveConnect}} {
			b.Run(p.name+"/"+server.name, func(b *testing.B) {
				c := p.client(b, server.serve(b))
				req, res := text("hello"), new(wrapperspb.StringValue)
				b.ReportAllocs()
				for b.Loop() {
					if err := c.CallUnary(b.Context(), specOf(unary), req, res); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
