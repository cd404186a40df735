// Package page is the chat's page for browsers. Its source is in web/chat, and
// `make generate` builds it.
package page

import (
	"embed"
	"io/fs"
	"net/http"
)

//go:embed built
var embedded embed.FS

// policy allows the page only what its server serves, including WebSockets. A
// script that got into a line would not run.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler serves the page and its files.
func Handler() http.Handler {
	files, err := fs.Sub(embedded, "built")
	if err != nil {
		panic(err) // the name is not a path
	}
	server := http.FileServerFS(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache") // the names of the files stay the same
		server.ServeHTTP(w, r)
	})
}
