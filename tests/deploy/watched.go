package main

import (
	"bufio"
	"net"
	"net/http"
)

// watched is the response to a handshake.
type watched struct {
	http.ResponseWriter
	refused bool // with an HTTP status
}

func (w *watched) WriteHeader(status int) {
	w.refused = true
	w.ResponseWriter.WriteHeader(status)
}

// Hijack is called for a handshake that succeeds.
func (w *watched) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.ResponseWriter).Hijack()
}
