package parleyconnect

import (
	"net/http"
	"slices"
	"strings"
)

// maxAge is how long a browser may keep the answer to a preflight, in seconds.
const maxAge = "7200"

// allow returns w for a request of a page that may connect: the browser gives
// the page all of the response. As for a WebSocket, cookies are sent.
func allow(w http.ResponseWriter, origin string) http.ResponseWriter {
	w.Header().Set("Access-Control-Allow-Origin", origin)
	w.Header().Set("Access-Control-Allow-Credentials", "true")
	return &exposing{ResponseWriter: w}
}

// preflight answers the question of a browser whether a page, which may
// connect, may make a request.
func preflight(w http.ResponseWriter, r *http.Request) {
	const methods = "GET, POST"
	if r.Header.Get("Access-Control-Request-Method") == "" {
		w.Header().Set("Allow", methods)
		http.Error(w, "Calls are made by POST, and by GET if they have no side effects.", http.StatusMethodNotAllowed)
		return
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", methods)
	if asked := r.Header.Values("Access-Control-Request-Headers"); len(asked) > 0 {
		h.Set("Access-Control-Allow-Headers", strings.Join(asked, ", ")) // any key may be metadata
	}
	h.Set("Access-Control-Max-Age", maxAge)
	h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
	w.WriteHeader(http.StatusNoContent)
}

// exposing tells a browser that the page may read all headers of the response.
// Their names are listed, because "*" does not hold with cookies.
type exposing struct {
	http.ResponseWriter
	sent bool
}

// WriteHeader implements http.ResponseWriter.
func (e *exposing) WriteHeader(status int) {
	e.expose()
	e.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (e *exposing) Write(p []byte) (int, error) {
	e.expose()
	return e.ResponseWriter.Write(p)
}

// Flush implements http.Flusher.
func (e *exposing) Flush() {
	e.expose()
	_ = http.NewResponseController(e.ResponseWriter).Flush() // an error means that the client has left
}

// Unwrap returns the writer for http.ResponseController.
func (e *exposing) Unwrap() http.ResponseWriter { return e.ResponseWriter }

// expose lists the headers, before they are sent.
func (e *exposing) expose() {
	if e.sent {
		return
	}
	e.sent = true
	var names []string
	for name := range e.Header() {
		if !strings.HasPrefix(name, "Access-Control-") && name != "Vary" && !strings.HasPrefix(name, http.TrailerPrefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	e.Header().Set("Access-Control-Expose-Headers", strings.Join(names, ", "))
}
