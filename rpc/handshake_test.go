package rpc_test

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"

	"github.com/parley-rpc/parley/rpc"
)

// dialerVector is a case of docs/spec/vectors/handshake.json for a dialer.
type dialerVector struct {
	Name, Side, Selected, Versions, Outcome string
	Status                                  int
	Caller                                  rpc.Code
}

// answerOnce answers the first request, and reads until the client has closed
// the connection.
func (v *dialerVector) answerOnce(listener net.Listener) error {
	conn, err := listener.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	r, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return err
	}
	answer := fmt.Sprintf("HTTP/1.1 %d %s\r\n", v.Status, http.StatusText(v.Status))
	if v.Status == http.StatusSwitchingProtocols {
		sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		answer += "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n"
	} else {
		answer += "Content-Length: 0\r\n"
	}
	for name, value := range map[string]string{"Sec-WebSocket-Protocol": v.Selected, "Parley-Versions": v.Versions} {
		if value != "" {
			answer += name + ": " + value + "\r\n"
		}
	}
	if _, err := io.WriteString(conn, answer+"\r\n"); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, conn) // the client may cut it
	return nil
}

func TestCallersSeeWhatTheSpecificationMakesOfAnAnswer(t *testing.T) {
	b, err := os.ReadFile("../docs/spec/vectors/handshake.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []dialerVector
	if err := json.Unmarshal(b, &vectors); err != nil {
		t.Fatal(err)
	}
	failures := 0
	for _, v := range vectors {
		if v.Side != "dialer" || v.Outcome != "fail" {
			continue
		}
		failures++
		t.Run(v.Name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			answered := make(chan error, 1)
			go func() { answered <- v.answerOnce(listener) }()
			_, err = rpc.Dial(t.Context(), "ws://"+listener.Addr().String())
			wantError(t, err, v.Caller)
			if err := <-answered; err != nil {
				t.Error(err)
			}
		})
	}
	if failures == 0 {
		t.Fatal("no vectors")
	}
}
