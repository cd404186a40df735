// Package serve runs the servers of the examples.
package serve

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport/ws"
)

// Path is where the examples mount their servers.
const Path = "/rpc"

// Until serves srv and site on a TCP address until ctx ends, and then closes
// all connections. It calls ready with the URL for clients as soon as they can
// connect.
func Until(ctx context.Context, addr string, srv *rpc.Server, site http.Handler, ready func(url string)) error {
	//snippet:until
	mux := http.NewServeMux()
	mux.Handle(Path, srv)
	mux.Handle("/", site) // whatever else there is
	web := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		Protocols:         new(http.Protocols),
	}
	web.Protocols.SetHTTP1(true)
	web.Protocols.SetUnencryptedHTTP2(true) // for gRPC, if site serves it

	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		<-ctx.Done()
		_ = srv.Close() // the WebSockets, which net/http knows nothing of any more
		_ = web.Close() // the listener, and requests that are not upgraded
	}()
	ready("ws://" + listener.Addr().String() + Path)
	paced := ws.Pace(web, listener) // a crowd of new connections does not delay calls on open ones
	if err := web.Serve(paced); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
	//snippet:end
}
