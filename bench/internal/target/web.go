package target

import (
	"net/http"

	"github.com/parley-rpc/parley/bench/internal/drive"
)

// Web serves what pages call. parley is at /rpc. connect-go is at the paths of
// its methods, with the protocols of Connect and gRPC-Web. At /bare are bytes
// without a protocol, on a WebSocket or in the body of a response. All other
// paths belong to the site. The function ends parley's calls and connections.
func Web(site http.Handler) (h http.Handler, stop func()) {
	srv := parleyServer(drive.Setup{})
	mux := http.NewServeMux()
	mux.Handle("/", site)
	mux.Handle("/rpc", srv)
	mux.HandleFunc("/bare/messages", bareMessages)
	mux.HandleFunc("/bare/body", bareBody)
	mux.Handle("/bench.v1.BenchService/", connectHandler())
	return mux, func() { _ = srv.Close() }
}
