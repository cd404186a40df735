package health

import (
	"fmt"
	"net/http"
)

// ServeHTTP answers a GET with 200 if the service of the parameter "service" is
// Serving; without the parameter it answers for the server as a whole. It
// answers 404 if the service has no status, and otherwise 503. The body is the
// name of the status.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "use GET", http.StatusMethodNotAllowed)
		return
	}
	status, _ := s.look(r.URL.Query().Get("service"))
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	switch status {
	case Serving:
		w.WriteHeader(http.StatusOK)
	case ServiceUnknown:
		w.WriteHeader(http.StatusNotFound)
	default:
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	fmt.Fprintln(w, status)
}
