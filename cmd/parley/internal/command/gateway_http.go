package command

import (
	"net/http"
	"strings"

	parleyconnect "github.com/parley-rpc/parley/ext/connect"
	"github.com/parley-rpc/parley/rpc"
)

// calls returns the handler of calls that come by HTTP: at /service/method, and
// under the path of the endpoint.
func (g *gateway) calls(srv *rpc.Server) http.Handler {
	if g.webSockets {
		return http.NotFoundHandler()
	}
	calls := parleyconnect.NewHandler(srv)
	under := strings.TrimSuffix(g.path, "/")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		prefix := prefixOf(r.URL.Path, under)
		if !isCallPath(strings.TrimPrefix(r.URL.Path, prefix)) || r.Header["Upgrade"] != nil {
			http.NotFound(w, r)
			return
		}
		http.StripPrefix(prefix, calls).ServeHTTP(w, r)
	})
}

// prefixOf returns the prefix of a path, or "" if the path has another one.
func prefixOf(path, prefix string) string {
	if strings.HasPrefix(path, prefix+"/") {
		return prefix
	}
	return ""
}

// isCallPath reports whether a path has the form /service/method.
func isCallPath(path string) bool {
	service, method, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return ok && service != "" && method != "" && strings.HasPrefix(path, "/") && !strings.Contains(method, "/")
}
