package ws_test

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// rfcKey and rfcAccept are the example of RFC 6455, section 1.3.
const (
	rfcKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	rfcAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// testTimeout is how long a test waits for an event.
const testTimeout = 5 * time.Second

// rawPeer is one end of a TCP connection for which the test writes WebSocket
// frames.
type rawPeer struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
	mask bool // as a client must
}

func rawDial(t testing.TB, url string) *rawPeer {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "ws://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(testTimeout)); err != nil {
		t.Fatal(err)
	}
	return &rawPeer{t: t, conn: conn, r: bufio.NewReader(conn), mask: true}
}

func (p *rawPeer) send(bytes string) {
	p.t.Helper()
	if _, err := io.WriteString(p.conn, bytes); err != nil {
		p.t.Fatal(err)
	}
}

func (p *rawPeer) response() *http.Response {
	p.t.Helper()
	resp, err := http.ReadResponse(p.r, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp
}

// handshakeRequest returns a valid request with some lines replaced. A
// replacement starts with the name of the header that it replaces, or "GET", up
// to the colon or space. A replacement without a value removes the line.
func handshakeRequest(replacements ...string) string {
	lines := []string{
		"GET /rpc HTTP/1.1",
		"Host: parley.test",
		"Upgrade: websocket",
		"Connection: Upgrade",
		"Sec-WebSocket-Key: " + rfcKey,
		"Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Protocol: " + ws.Subprotocol,
	}
	for _, replacement := range replacements {
		name, _, _ := strings.Cut(replacement, ":")
		found := false
		for i, line := range lines {
			if strings.HasPrefix(line, name+":") || i == 0 && name == "GET" {
				lines[i], found = strings.TrimPrefix(replacement, "GET:"), true
			}
		}
		if !found {
			lines = append(lines, replacement)
		}
	}
	kept := lines[:0]
	for _, line := range lines {
		if !strings.HasSuffix(line, ":") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\r\n") + "\r\n\r\n"
}

// upgraded returns a raw client that has been upgraded, and the server's Conn.
func upgraded(t testing.TB, u *ws.Upgrader) (*rawPeer, *ws.Conn) {
	t.Helper()
	url, accepted := serve(t, u)
	p := rawDial(t, url)
	p.send(handshakeRequest())
	if resp := p.response(); resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("status %s", resp.Status)
	}
	return p, accept(t, accepted)
}

// frame sends a frame. head is its first byte: FIN, RSV and opcode.
func (p *rawPeer) frame(head byte, payload string) {
	p.t.Helper()
	p.frameOf(head, uint64(len(payload)), payload)
}

// frameOf sends a frame that announces n bytes, and then payload.
func (p *rawPeer) frameOf(head byte, n uint64, payload string) {
	p.t.Helper()
	masked := byte(0)
	if p.mask {
		masked = 0x80
	}
	b := []byte{head}
	switch {
	case n > 0xffff:
		b = binary.BigEndian.AppendUint64(append(b, 127|masked), n)
	case n > 125:
		b = binary.BigEndian.AppendUint16(append(b, 126|masked), uint16(n))
	default:
		b = append(b, byte(n)|masked)
	}
	if p.mask {
		b = append(b, 0, 0, 0, 0) // a key of zeros
	}
	p.send(string(append(b, payload...)))
}

const (
	fin        = 0x80
	opContinue = 0x0
	opText     = 0x1
	opBinary   = 0x2
	opClose    = 0x8
	opPing     = 0x9
	opPong     = 0xa
)

// receive reads a frame of at most 64 KiB.
func (p *rawPeer) receive() (head byte, payload string, err error) {
	var b [2]byte
	if _, err := io.ReadFull(p.r, b[:]); err != nil {
		return 0, "", err
	}
	n := int(b[1] & 0x7f)
	if n == 126 {
		var l [2]byte
		if _, err := io.ReadFull(p.r, l[:]); err != nil {
			return 0, "", err
		}
		n = int(binary.BigEndian.Uint16(l[:]))
	}
	var key [4]byte
	if masked := b[1]&0x80 != 0; masked == p.mask {
		return 0, "", fmt.Errorf("masked: %t, as if both ends were the same", masked)
	} else if masked {
		if _, err := io.ReadFull(p.r, key[:]); err != nil {
			return 0, "", err
		}
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(p.r, body); err != nil {
		return 0, "", err
	}
	for i := range body {
		body[i] ^= key[i%4]
	}
	return b[0], string(body), nil
}

// wantCloseFrame reads up to a close frame and returns its reason.
func (p *rawPeer) wantCloseFrame(code int) string {
	p.t.Helper()
	for {
		head, payload, err := p.receive()
		if err != nil {
			p.t.Fatalf("no close frame with code %d: %v", code, err)
		}
		if head != fin|opClose {
			continue
		}
		if code == 1005 && payload == "" {
			return ""
		}
		if len(payload) < 2 || int(binary.BigEndian.Uint16([]byte(payload))) != code {
			p.t.Fatalf("close frame %q, want code %d", payload, code)
		}
		return payload[2:]
	}
}

// wantClosing closes c and checks that the peer sees a close frame, then the end
// of the connection. It returns the reason.
func (p *rawPeer) wantClosing(c *ws.Conn, code transport.CloseCode, reason string) string {
	p.t.Helper()
	done := make(chan error, 1)
	go func() { done <- c.Close(code, reason) }()
	got := p.wantCloseFrame(int(code))
	p.wantEOF()
	_ = p.conn.Close()
	if err := <-done; err != nil {
		p.t.Fatal(err)
	}
	return got
}

// wantEOF waits for the peer to end its half of the connection.
func (p *rawPeer) wantEOF() {
	p.t.Helper()
	if n, err := io.Copy(io.Discard, p.r); err != nil {
		p.t.Fatalf("after %d bytes: %v", n, err)
	}
}

func closePayload(code uint16, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, code)) + reason
}

// rawServer returns a client and the raw server that it is connected to.
func rawServer(t testing.TB) (*ws.Conn, *rawPeer) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	peers := make(chan *rawPeer, 1)
	go func() {
		defer close(peers)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		p := &rawPeer{t: t, conn: conn, r: bufio.NewReader(conn)}
		r, err := http.ReadRequest(p.r)
		if err != nil {
			return
		}
		accept := acceptKey(r.Header.Get("Sec-WebSocket-Key"))
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: %s\r\n\r\n", accept, ws.Subprotocol)
		peers <- p
	}()
	client := dial(t, "ws://"+listener.Addr().String())
	p := <-peers
	t.Cleanup(func() { _ = p.conn.Close() })
	if err := p.conn.SetDeadline(time.Now().Add(testTimeout)); err != nil {
		t.Fatal(err)
	}
	return client, p
}

// acceptKey returns the answer to a Sec-WebSocket-Key (RFC 6455, section
// 4.2.2).
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
