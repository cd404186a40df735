package command

import (
	"log/slog"
	"net/http"
	"testing"

	"github.com/parley-rpc/parley/rpc"
)

// TestIdleConnectionOfAGatewayEnds: net/http has no bound by default.
func TestIdleConnectionOfAGatewayEnds(t *testing.T) {
	g := gateway{path: "/rpc"}
	srv := rpc.NewServer()
	defer srv.Close()
	web, err := g.web(srv, http.NotFoundHandler(), http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if web.IdleTimeout <= 0 || web.ReadHeaderTimeout <= 0 || web.MaxHeaderBytes <= 0 || web.MaxHeaderBytes > http.DefaultMaxHeaderBytes/8 {
		t.Errorf("IdleTimeout %v, ReadHeaderTimeout %v, MaxHeaderBytes %d", web.IdleTimeout, web.ReadHeaderTimeout, web.MaxHeaderBytes)
	}
}
