package ws_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// answering is the connection to a server that answers a handshake with a
// script, and then closes it. acceptMark in the script stands for the right
// Sec-WebSocket-Accept.
type answering struct {
	net.Conn // nil: other methods are not used
	mu       sync.Mutex
	script   []byte
	says     []byte
	asked    bool
}

const acceptMark = "%s"

func (c *answering) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked {
		return len(p), nil // a close frame
	}
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(p)))
	if err != nil {
		return 0, err
	}
	c.asked = true
	c.says = bytes.ReplaceAll(c.script, []byte(acceptMark), []byte(acceptKey(r.Header.Get("Sec-WebSocket-Key"))))
	return len(p), nil
}

func (c *answering) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := copy(p, c.says)
	c.says = c.says[n:]
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (c *answering) Close() error                     { return nil }
func (c *answering) SetDeadline(time.Time) error      { return nil }
func (c *answering) SetReadDeadline(time.Time) error  { return nil }
func (c *answering) SetWriteDeadline(time.Time) error { return nil }

// FuzzAnswer has a server that answers a handshake with raw bytes. A successful
// dial has an offered subprotocol. A failed one returns an error of one line,
// fit for a log and without a credential.
func FuzzAnswer(f *testing.F) {
	const ok = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + acceptMark + "\r\n"
	for _, seed := range []string{
		ok + "Sec-WebSocket-Protocol: parley.v1\r\n\r\n",
		ok + "Sec-WebSocket-Protocol: parley.v1\r\n\r\n\x82\x01x",
		ok + "\r\n",
		ok + "Sec-WebSocket-Protocol: chat\r\n\r\n",
		ok + "Sec-WebSocket-Protocol: parley.bearer.c2VjcmV0\r\n\r\n",
		ok + "Sec-WebSocket-Protocol: parley.v1\r\nSec-WebSocket-Protocol: parley.v1\r\n\r\n",
		ok + "Sec-WebSocket-Protocol: parley.v1\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\n\r\n",
		"HTTP/1.1 400 Bad Request\r\nParley-Versions: parley.v2\r\nContent-Length: 2\r\n\r\nno",
		"HTTP/1.1 301 Moved Permanently\r\nLocation: https://user:pw@other.test/?secret\r\n\r\n",
		"HTTP/1.1 401 Unauthorized\r\nContent-Type: text/plain\r\n\r\nparley.bearer.c2VjcmV0 is wrong\x1b[31m",
		"HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello",
		"HTTP/1.1 100 Continue\r\n\r\n" + ok + "Sec-WebSocket-Protocol: parley.v1\r\n\r\n",
		"SSH-2.0-OpenSSH_9.9\r\n", "HTTP/9.9 ", "",
	} {
		f.Add([]byte(seed))
	}
	const credential = "c2VjcmV0"
	f.Fuzz(func(t *testing.T, script []byte) {
		server := &answering{script: script}
		d := &ws.Dialer{
			Subprotocols: []string{"parley.v1", "parley.bearer." + credential},
			NetDial:      func(context.Context, string, string) (net.Conn, error) { return server, nil },
		}
		c, err := d.Dial(t.Context(), "ws://127.0.0.1")
		if err == nil {
			if c.Subprotocol() != ws.Subprotocol || !bytes.Contains(script, []byte(acceptMark)) {
				t.Errorf("%q\nopened a link that speaks %q", script, c.Subprotocol())
			}
			_ = c.Close(transport.CloseNormal, "")
			return
		}
		var failed *ws.HandshakeError
		if !errors.As(err, &failed) || failed.Stage != ws.StageUpgrade {
			t.Fatalf("%q\nended with %v", script, err)
		}
		if len(err.Error()) > 1000 || strings.ContainsAny(err.Error(), "\n\r\x1b") {
			t.Errorf("%q\nis told as %q", script, err)
		}
		// A server's own text may look like the credential, also when quoted.
		others := fmt.Sprintf("%s %[1]q", bytes.ReplaceAll(script, []byte("parley.bearer."+credential), nil))
		if all := fmt.Sprintf("%v %+v", err, *failed); strings.Contains(all, credential) && !strings.Contains(others, credential) {
			t.Errorf("%q\ngave away the credential: %s", script, all)
		}
	})
}
