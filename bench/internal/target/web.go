package target

import (
	"net/http"

	"github.com/parley-rpc/parley/bench/internal/drive"
)

// Web serves what pages call: parley at /rpc and, at the paths of its methods,
// connect-go, which speaks the protocols of Connect and gRPC-Web. All other
// paths are the site's. The function ends what parley has running.
func Web(site http.Handler) (h http.Handler, stop func()) {
	srv := parleyServer(drive.Setup{})
	mux := http.NewServeMux()
	mux.Handle("/", site)
	mux.Handle("/rpc", srv)
	mux.Handle("/bench.v1.BenchService/", connectHandler())
	return mux, func() { _ = srv.Close() }
}
