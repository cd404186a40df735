package ws_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// byPeer and foundHere are the two kinds of a *transport.CloseError.
func byPeer(code transport.CloseCode) transport.CloseError {
	return transport.CloseError{Code: code, Remote: true}
}

func foundHere(code transport.CloseCode) transport.CloseError {
	return transport.CloseError{Code: code}
}

// wantClose checks an error of NextReader and returns its reason.
func wantClose(t testing.TB, err error, want transport.CloseError) string {
	t.Helper()
	var closed *transport.CloseError
	if !errors.As(err, &closed) || closed.Code != want.Code || closed.Remote != want.Remote {
		t.Fatalf("got %v, want %+v", err, want)
	}
	return closed.Reason
}

func nextReader(c *ws.Conn) error {
	_, err := c.NextReader()
	return err
}

func TestMessagesKeepTheirBytesAndBoundaries(t *testing.T) {
	client, server := connect(t)
	for name, ends := range map[string][2]*ws.Conn{"from client": {client, server}, "from server": {server, client}} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{0, 1, 125, 126, 4096, 65535, 65536, 70 << 10, 300 << 10, 1 << 20} {
				for _, parts := range []int{0, 1, 2, 33} {
					if parts == 0 && size > 0 {
						continue
					}
					msg := make([]byte, size)
					for i := range msg {
						msg[i] = byte(rand.Uint32())
					}
					sent := bytes.Clone(msg)
					done := make(chan error, 1)
					go func() { done <- ends[0].WriteMessage(split(msg, parts)) }()
					if got := read(t, ends[1]); got != string(sent) {
						t.Fatalf("%d bytes in %d parts came out as %d", size, parts, len(got))
					}
					if err := <-done; err != nil {
						t.Fatal(err)
					}
					if !bytes.Equal(msg, sent) {
						t.Fatalf("%d bytes in %d parts: the writer's slices were changed", size, parts)
					}
				}
			}
		})
	}
}

func TestUnreadRestOfAMessageIsSkipped(t *testing.T) {
	client, server := connect(t)
	write(t, client, strings.Repeat("x", 5000))
	write(t, client, "next")
	r, err := server.NextReader()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if got := read(t, server); got != "next" {
		t.Fatalf("got %d bytes", len(got))
	}
}

func TestFragmentsAreOneMessage(t *testing.T) {
	p, server := upgraded(t, &ws.Upgrader{})
	p.frame(opBinary, "one, ")
	p.frame(fin|opPing, "between")
	p.frame(opContinue, "two, ")
	p.frame(fin|opContinue, "three")
	if got := read(t, server); got != "one, two, three" {
		t.Fatalf("got %q", got)
	}
}

func TestTextMessageIsRefusedWith1003(t *testing.T) {
	p, server := upgraded(t, &ws.Upgrader{})
	p.frame(fin|opText, "hello")
	reason := wantClose(t, nextReader(server), foundHere(transport.CloseUnsupportedData))
	if got := p.wantClosing(server, transport.CloseUnsupportedData, reason); got != reason || !strings.Contains(got, "binary") {
		t.Errorf("reason %q", got)
	}
}

func TestOversizedMessageIsRefusedBeforeItIsBuffered(t *testing.T) {
	const limit = 1000
	tests := []struct {
		name string
		send func(p *rawPeer)
	}{
		{"announced by one frame", func(p *rawPeer) { p.frameOf(fin|opBinary, limit+1, "") }},
		{"announced as 2^63-1 bytes", func(p *rawPeer) { p.frameOf(fin|opBinary, 1<<63-1, "") }},
		{"announced as 2^64-1 bytes", func(p *rawPeer) { p.frameOf(fin|opBinary, 1<<64-1, "") }},
		{"in fragments", func(p *rawPeer) {
			p.frame(opBinary, strings.Repeat("x", limit))
			p.frameOf(fin|opContinue, 1, "")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, server := upgraded(t, &ws.Upgrader{ReadLimit: limit})
			p.frame(fin|opBinary, strings.Repeat("x", limit)) // as large as allowed
			if got := read(t, server); len(got) != limit {
				t.Fatalf("got %d bytes", len(got))
			}
			tt.send(p)
			r, err := server.NextReader()
			if err == nil {
				_, err = io.ReadAll(r)
			}
			reason := wantClose(t, err, foundHere(transport.CloseMessageTooBig))
			if !strings.Contains(reason, "1000 bytes") {
				t.Errorf("reason %q", reason)
			}
			p.wantClosing(server, transport.CloseMessageTooBig, reason)
		})
	}
}

func TestOversizedMessageOfAServerIsRefusedByTheClient(t *testing.T) {
	url, accepted := serve(t, &ws.Upgrader{})
	client, err := (&ws.Dialer{ReadLimit: 10}).Dial(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close(transport.CloseAbnormal, "") })
	server := accept(t, accepted)
	write(t, server, "12345678901")
	wantClose(t, nextReader(client), foundHere(transport.CloseMessageTooBig))
	wantClose(t, nextReader(server), byPeer(transport.CloseMessageTooBig))
}

func TestDefaultReadLimitIsOneMebibyte(t *testing.T) {
	p, server := upgraded(t, &ws.Upgrader{})
	p.frameOf(fin|opBinary, 1<<20+1, "")
	wantClose(t, nextReader(server), foundHere(transport.CloseMessageTooBig))
}

func TestBrokenFramingIsRefusedWith1002(t *testing.T) {
	tests := []struct {
		name string
		send func(p *rawPeer)
	}{
		{"no mask", func(p *rawPeer) { p.mask = false; p.frame(fin|opBinary, "x"); p.mask = true }},
		{"RSV1, as of permessage-deflate", func(p *rawPeer) { p.frame(fin|0x40|opBinary, "x") }},
		{"RSV2", func(p *rawPeer) { p.frame(fin|0x20|opBinary, "x") }},
		{"RSV3", func(p *rawPeer) { p.frame(fin|0x10|opBinary, "x") }},
		{"reserved opcode", func(p *rawPeer) { p.frame(fin|0x3, "x") }},
		{"reserved control opcode", func(p *rawPeer) { p.frame(fin|0xb, "x") }},
		{"continuation of nothing", func(p *rawPeer) { p.frame(fin|opContinue, "x") }},
		{"message inside a message", func(p *rawPeer) { p.frame(opBinary, "x"); p.frame(fin|opBinary, "y") }},
		{"fragmented ping", func(p *rawPeer) { p.frame(opPing, "x") }},
		{"large ping", func(p *rawPeer) { p.frame(fin|opPing, strings.Repeat("x", 126)) }},
		{"close code 999", func(p *rawPeer) { p.frame(fin|opClose, closePayload(999, "")) }},
		{"close code 1004", func(p *rawPeer) { p.frame(fin|opClose, closePayload(1004, "")) }},
		{"close code 1005", func(p *rawPeer) { p.frame(fin|opClose, closePayload(1005, "")) }},
		{"close code 1006", func(p *rawPeer) { p.frame(fin|opClose, closePayload(1006, "")) }},
		{"close code 1015", func(p *rawPeer) { p.frame(fin|opClose, closePayload(1015, "")) }},
		{"close code 2000", func(p *rawPeer) { p.frame(fin|opClose, closePayload(2000, "")) }},
		{"close code 5000", func(p *rawPeer) { p.frame(fin|opClose, closePayload(5000, "")) }},
		{"close reason not UTF-8", func(p *rawPeer) { p.frame(fin|opClose, closePayload(1000, "\xff")) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, server := upgraded(t, &ws.Upgrader{})
			tt.send(p)
			r, err := server.NextReader()
			if err == nil {
				_, err = io.ReadAll(r)
			}
			reason := wantBroken(t, err)
			if err := server.WriteMessage(nil); !errors.Is(err, net.ErrClosed) {
				t.Errorf("write behind the close frame: %v", err)
			}
			p.wantClosing(server, transport.CloseProtocolError, reason)
		})
	}
}

func TestMaskedFrameOfAServerIsRefusedByTheClient(t *testing.T) {
	client, p := rawServer(t)
	p.mask = true
	p.frame(fin|opBinary, "x")
	wantBroken(t, nextReader(client))
}

// wantBroken checks that err is a framing error, and returns its reason.
func wantBroken(t *testing.T, err error) (reason string) {
	t.Helper()
	var broken *transport.FramingError
	if !errors.As(err, &broken) || broken.Reason == "" || len(broken.Reason) > 123 {
		t.Fatalf("got %v, want broken framing", err)
	}
	return broken.Reason
}

func TestErrorOfAReadIsPermanent(t *testing.T) {
	p, server := upgraded(t, &ws.Upgrader{})
	p.frame(fin|opText, "hello")
	p.frame(fin|opBinary, "too late")
	first := nextReader(server)
	for range 2000 { // gorilla panics at a thousand
		if err := nextReader(server); !errors.Is(err, first) {
			t.Fatalf("first %v, then %v", first, err)
		}
	}
}

func TestReadErrorReachesTheReaderOfTheMessage(t *testing.T) {
	p, server := upgraded(t, &ws.Upgrader{})
	p.frameOf(fin|opBinary, 100, "only this")
	if err := p.conn.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := server.NextReader()
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if string(got) != "only this" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("got %q, %v", got, err)
	}
	if again := nextReader(server); !errors.Is(again, io.ErrUnexpectedEOF) {
		t.Fatalf("then %v", again)
	}
}

func TestCompressionIsNotNegotiated(t *testing.T) {
	url, accepted := serve(t, &ws.Upgrader{})
	p := rawDial(t, url)
	p.send(handshakeRequest("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"))
	resp := p.response()
	accept(t, accepted)
	if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Sec-WebSocket-Extensions") != "" {
		t.Fatalf("%s, extensions %q", resp.Status, resp.Header.Get("Sec-WebSocket-Extensions"))
	}
}

func TestConnKnowsItsAddresses(t *testing.T) {
	client, server := connect(t)
	if client.LocalAddr().String() != server.RemoteAddr().String() || client.RemoteAddr().String() != server.LocalAddr().String() {
		t.Errorf("client %v -> %v, server %v -> %v", client.LocalAddr(), client.RemoteAddr(), server.LocalAddr(), server.RemoteAddr())
	}
	if client.TLS() != nil || server.TLS() != nil {
		t.Error("TLS on a bare connection")
	}
	if got := client.Response().Get("Upgrade"); got != "websocket" {
		t.Errorf("response header: %q", client.Response())
	}
	if server.Response() != nil {
		t.Error("a server has a response")
	}
}

func TestReadingAllocatesNoMoreThanGorilla(t *testing.T) {
	client, server := connect(t)
	const messages = 200
	buf := make([]byte, 100)
	msg := [][]byte{make([]byte, 100)}
	for range messages {
		if err := client.WriteMessage(msg); err != nil {
			t.Fatal(err)
		}
	}
	got := testing.AllocsPerRun(messages-1, func() {
		if err := consume(server, 1, buf); err != nil {
			t.Fatal(err)
		}
	})
	if got > 1 { // gorilla's messageReader
		t.Errorf("%v allocations per message", got)
	}
}

func TestWriteToALostPeerReportsALostLink(t *testing.T) {
	p, server := upgraded(t, &ws.Upgrader{})
	if err := p.conn.(*net.TCPConn).SetLinger(0); err != nil { // reset, not FIN
		t.Fatal(err)
	}
	if err := p.conn.Close(); err != nil {
		t.Fatal(err)
	}
	err := nextReader(server)
	var closed *transport.CloseError
	if err == nil || errors.As(err, &closed) || !strings.Contains(err.Error(), "link lost") {
		t.Errorf("read: %v", err)
	}
	for range 100 { // the kernel may take the first
		if err = server.WriteMessage([][]byte{[]byte("x")}); err != nil {
			break
		}
	}
	if err == nil || errors.As(err, &closed) || errors.Is(err, net.ErrClosed) || !strings.Contains(err.Error(), "link lost") {
		t.Errorf("write: %v", err)
	}
}
