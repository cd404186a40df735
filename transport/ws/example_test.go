package ws_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// A Conn is a bare message connection. Programs put a session on it, see
// transport.NewSession; here its messages are used as they are.
func Example() {
	upgrader := &ws.Upgrader{Origins: []string{"https://*.example.com"}}
	if err := upgrader.Validate(); err != nil {
		panic(err)
	}
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r)
		if err != nil {
			return // the client has been told
		}
		go func() { // the handler returns, and net/http gives its memory back
			defer close(done)
			_ = conn.WriteMessage([][]byte{[]byte("hello, "), []byte("world")})
			_ = conn.Close(transport.CloseNormal, "that was all")
		}()
	}))
	defer server.Close()

	conn, err := new(ws.Dialer).Dial(context.Background(), server.URL)
	if err != nil {
		panic(err)
	}
	for {
		message, err := conn.NextReader()
		if err != nil {
			fmt.Println(err)
			break
		}
		text, err := io.ReadAll(message)
		fmt.Printf("%s %v\n", text, err)
	}
	_ = conn.Close(transport.CloseNormal, "")
	<-done
	// Output:
	// hello, world <nil>
	// closed by the peer with code 1000: that was all
}
