package target

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/gorilla/websocket"
)

// maxBare bounds the messages of bareMessages and bareBody, in bytes.
const maxBare = 1 << 20

// bareMessages sends messages of a number of bytes, in the query's size, on a
// WebSocket until the peer closes it: nothing but what every protocol over
// WebSockets needs.
func bareMessages(w http.ResponseWriter, r *http.Request) {
	payload, err := bareSize(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	upgrader := websocket.Upgrader{ReadBufferSize: 512, WriteBufferSize: len(payload) + 64}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	go func() {
		_, _, _ = conn.ReadMessage() // returns when the peer closes
		_ = conn.Close()
	}()
	for err == nil {
		err = conn.WriteMessage(websocket.BinaryMessage, payload)
	}
	_ = conn.Close()
}

// bareBody sends as much in the body of a response, which ends with the request.
func bareBody(w http.ResponseWriter, r *http.Request) {
	payload, err := bareSize(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	body := http.NewResponseController(w)
	for {
		if _, err := w.Write(payload); err != nil {
			return
		}
		if err := body.Flush(); err != nil {
			return
		}
	}
}

// bareSize returns as many bytes as the query's size says.
func bareSize(r *http.Request) ([]byte, error) {
	n, err := strconv.Atoi(r.URL.Query().Get("size"))
	if err != nil || n < 1 || n > maxBare {
		return nil, fmt.Errorf("size is %q, must be from 1 to %d", r.URL.Query().Get("size"), maxBare)
	}
	return make([]byte, n), nil
}
