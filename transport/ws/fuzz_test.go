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
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// exchange sends raw bytes to a server, ends its half of the connection, and
// returns all that the server sends before it does the same.
func exchange(t *testing.T, addr string, raw []byte) []byte {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(testTimeout)); err != nil {
		t.Fatal(err)
	}
	_, _ = conn.Write(raw) // the server may stop reading
	_ = conn.(*net.TCPConn).CloseWrite()
	answer, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the server neither answers nor closes: %q", raw)
	}
	return answer
}

// FuzzHandshake sends raw bytes to a server. The server upgrades only a
// handshake, and no response contains a credential.
func FuzzHandshake(f *testing.F) {
	f.Add([]byte(handshakeRequest()))
	for _, replacement := range []string{
		"Upgrade:", "Upgrade: h2c, websocket", "Connection: keep-alive, Upgrade", "Sec-WebSocket-Key: x", "Sec-WebSocket-Version: 8",
		"Sec-WebSocket-Protocol:", "Sec-WebSocket-Protocol: parley.bearer.SECRET, parley.v1", "Sec-WebSocket-Protocol: parley.bearer.SECRET",
		"Sec-WebSocket-Extensions: permessage-deflate", "Origin: http://evil.test", "Origin: http://parley.test", "GET:POST / HTTP/1.1",
		"GET:GET * HTTP/1.1", "GET:PRI * HTTP/2.0", "Content-Length: 5", "Transfer-Encoding: chunked", "Expect: 100-continue",
	} {
		f.Add([]byte(handshakeRequest(replacement)))
	}
	f.Add([]byte(handshakeRequest() + "\x82\x80\x00\x00\x00\x00"))
	f.Add([]byte(handshakeRequest()[:100]))

	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := new(ws.Upgrader).Upgrade(w, r); err == nil {
			_ = c.Close(transport.CloseAbnormal, "")
		}
	}))
	srv.Config.ErrorLog = discardLog()
	srv.Start()
	f.Cleanup(srv.Close)
	addr := srv.Listener.Addr().String()

	f.Fuzz(func(t *testing.T, raw []byte) {
		answer := exchange(t, addr, raw)
		if bytes.Contains(answer, []byte("SECRET")) && bytes.Contains(raw, []byte("Protocol: parley.bearer.SECRET")) && !bytes.Contains(raw, []byte("Origin")) {
			t.Errorf("%q\ngave away the credential: %q", raw, answer)
		}
		if !bytes.HasPrefix(answer, []byte("HTTP/1.1 101 ")) {
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			t.Fatalf("%q\nis no request (%v) and was upgraded", raw, err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), r)
		if err != nil {
			t.Fatalf("%q\nanswered with %q: %v", raw, answer, err)
		}
		chosen := resp.Header.Get("Sec-WebSocket-Protocol")
		offers := strings.FieldsFunc(strings.Join(r.Header.Values("Sec-WebSocket-Protocol"), ","), func(c rune) bool {
			return c == ',' || c == ' ' || c == '\t'
		})
		switch {
		case r.Method != http.MethodGet, r.Header.Get("Sec-WebSocket-Version") != "13":
			t.Errorf("%q\nwas upgraded", raw)
		case chosen != ws.Subprotocol || !slices.Contains(offers, chosen):
			t.Errorf("%q\nchose %q", raw, chosen)
		case resp.Header.Get("Sec-WebSocket-Accept") != acceptKey(r.Header.Get("Sec-WebSocket-Key")):
			t.Errorf("%q\naccepted with %q", raw, answer)
		}
	})
}

// scripted is the connection to a server that answers a handshake with an
// upgrade, and then sends fixed bytes.
type scripted struct {
	net.Conn // nil: other methods are not used
	mu       sync.Mutex
	says     []byte
	script   []byte
}

func (c *scripted) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.script != nil {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(p)))
		if err != nil {
			return 0, err
		}
		c.says = fmt.Appendf(nil, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: %s\r\n\r\n%s",
			acceptKey(r.Header.Get("Sec-WebSocket-Key")), ws.Subprotocol, c.script)
		c.script = nil
	}
	return len(p), nil
}

func (c *scripted) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := copy(p, c.says)
	c.says = c.says[n:]
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (c *scripted) Close() error                     { return nil }
func (c *scripted) SetDeadline(time.Time) error      { return nil }
func (c *scripted) SetReadDeadline(time.Time) error  { return nil }
func (c *scripted) SetWriteDeadline(time.Time) error { return nil }

// FuzzFrames has a server that sends raw bytes. Reading ends with an error with
// a close code or the loss of the link, and returns no more than was sent and
// the read limit allows.
func FuzzFrames(f *testing.F) {
	for _, seed := range []string{
		"\x82\x00", "\x82\x01x", "\x02\x01x\x80\x01y", "\x02\x01x\x89\x00\x00\x01y\x80\x00", "\x81\x01x", "\x89\x00", "\x8a\x01x",
		"\x88\x02\x03\xe8", "\x88\x05\x0f\xa7bye", "\x88\x00", "\x88\x01x", "\x88\x02\x03\xed", "\x88\x03\x03\xe8\xff", "\xc2\x01x",
		"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", "\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", "\x82\x7e\x00\x05hello", "\x82\x81\x00\x00\x00\x00x",
	} {
		f.Add([]byte(seed))
	}
	const limit = 100
	f.Fuzz(func(t *testing.T, raw []byte) {
		server := &scripted{script: append([]byte{}, raw...)}
		d := &ws.Dialer{ReadLimit: limit, NetDial: func(context.Context, string, string) (net.Conn, error) { return server, nil }}
		c, err := d.Dial(t.Context(), "ws://127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(transport.CloseNormal, "")
		for total := 0; err == nil; {
			var r io.Reader
			if r, err = c.NextReader(); err != nil {
				break
			}
			var msg []byte
			msg, err = io.ReadAll(r)
			if total += len(msg); len(msg) > limit || total > len(raw) {
				t.Fatalf("%q\ngave %d bytes, the last message %d", raw, total, len(msg))
			}
		}
		var closed *transport.CloseError
		var broken *transport.FramingError
		if !errors.As(err, &closed) && !errors.As(err, &broken) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%q\nended with %v", raw, err)
		}
	})
}
