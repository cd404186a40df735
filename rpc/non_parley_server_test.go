package rpc_test

import (
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"testing"
)

// nonParleyServer returns the URL of a server that upgrades every request to a
// WebSocket without a subprotocol.
func nonParleyServer(t *testing.T) string {
	return listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n")
		_ = rw.Flush()
		_, _ = rw.ReadByte() // the client's close frame
	}))
}
