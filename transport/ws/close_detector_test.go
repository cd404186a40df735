package ws_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// upgradedTLS is like upgraded, over TLS.
func upgradedTLS(t testing.TB) (*rawPeer, *ws.Conn) {
	t.Helper()
	url, cfg, accepted := serveTLS(t)
	conn, err := tls.Dial("tcp", strings.TrimPrefix(url, "wss://"), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	p := &rawPeer{t: t, conn: conn, r: bufio.NewReader(conn), mask: true}
	p.send(handshakeRequest())
	if resp := p.response(); resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("status %s", resp.Status)
	}
	return p, accept(t, accepted)
}

// ends are a peer whose frames the test writes, and the Conn of its link.
var ends = map[string]func(testing.TB) (*rawPeer, *ws.Conn){
	"server":          func(t testing.TB) (*rawPeer, *ws.Conn) { return upgraded(t, &ws.Upgrader{}) },
	"client":          func(t testing.TB) (*rawPeer, *ws.Conn) { c, p := rawServer(t); return p, c },
	"server with TLS": upgradedTLS,
}

// cut is a frame of 300 bytes whose last bytes are missing.
func (p *rawPeer) cut(missing int) string {
	head := string([]byte{fin | opBinary, 126, 300 >> 8, 300 & 0xff})
	if p.mask {
		head = string([]byte{fin | opBinary, 0x80 | 126, 300 >> 8, 300 & 0xff}) + "\xa1\xb2\xc3\xd4"
	}
	return head + strings.Repeat("\x01", 300-missing)
}

func TestMessageThatACloseFrameCompletesIsNotRead(t *testing.T) {
	long := strings.Repeat("r", 123)
	for name, inject := range map[string]string{
		"short":        "\x88\x02\x03\xe9",
		"short masked": "\x88\x82\x01\x02\x03\x04\x02\xeb",
		"long":         "\x88\x7d\x03\xe9" + long,
		"long masked":  "\x88\xfd\x00\x00\x00\x00\x03\xe9" + long,
		"no code":      "\x88\x00",
	} {
		for end, connected := range ends {
			t.Run(fmt.Sprint(name, " to the ", end), func(t *testing.T) {
				for missing := 1; missing <= len(inject); missing++ {
					p, c := connected(t)
					p.send(p.cut(missing))
					p.send(inject)
					_ = p.conn.Close()
					for err := error(nil); err == nil; {
						var r io.Reader
						if r, err = c.NextReader(); err == nil {
							var msg []byte
							if msg, err = io.ReadAll(r); err == nil && len(msg) > 0 {
								t.Fatalf("%d of %d bytes complete the message: it was read", missing, len(inject))
							}
						}
					}
				}
			})
		}
	}
}

func TestMessageThatEndsLikeACloseFrameIsRead(t *testing.T) {
	for end, connected := range ends {
		t.Run(end, func(t *testing.T) {
			p, c := connected(t)
			// Its masking key is zero, so the end looks the same on the wire.
			for _, msg := range []string{
				"x\x88", "x\x88\x02", "x\x88\x02\x03", "x\x88\x02\x03\xe9", "x\x88\x00", "x\x88\x82\x00\x00\x00\x00\x03\xe9",
				"x\x88\x7d\x03\xe9", "\x88\x7d\x03\xe9" + strings.Repeat("r", 123), strings.Repeat("y", 5000) + "\x88\x02\x03\xe9",
			} {
				p.frame(fin|opBinary, msg) // and nothing after it
				got, err := readAll(c)
				if err != nil || got != msg {
					t.Errorf("%q: got %d bytes, %v", msg, len(got), err)
				}
				p.frame(fin|opBinary, msg+"\x88")
				p.frame(fin|opBinary, "\x02\x03\xe9") // what could continue it
				for _, want := range []string{msg + "\x88", "\x02\x03\xe9"} {
					if got, err := readAll(c); err != nil || got != want {
						t.Errorf("%q: got %d bytes, %v", want, len(got), err)
					}
				}
			}
			began := time.Now()
			for range 50 {
				p.frame(fin|opBinary, "x\x88\x02")
				if _, err := readAll(c); err != nil {
					t.Fatal(err)
				}
			}
			if took := time.Since(began); took > 50*100*time.Millisecond {
				t.Errorf("what only begins like a close frame is waited for: %v", took)
			}
			p.frame(fin|opClose, closePayload(1000, "\u0088\u0003")) // a genuine one is not suspicious
			wantClose(t, nextReader(c), byPeer(transport.CloseNormal))
		})
	}
}

func TestMessageThatEndsLikeACloseFrameCostsNoMoreMemory(t *testing.T) {
	for end, connected := range ends {
		if strings.HasSuffix(end, "TLS") {
			continue // reads ahead, one record at a time
		}
		t.Run(end, func(t *testing.T) {
			p, c := connected(t)
			allocations := func(msg string) float64 {
				return testing.AllocsPerRun(100, func() {
					p.frame(fin|opBinary, msg)
					if _, err := readAll(c); err != nil {
						t.Error(err)
					}
				})
			}
			plain, suspect := allocations("xy"), allocations("x\x88")
			if suspect > plain {
				t.Errorf("%v allocations, and %v for another message", suspect, plain)
			}
		})
	}
}

func readAll(c *ws.Conn) (string, error) {
	r, err := c.NextReader()
	if err != nil {
		return "", err
	}
	msg, err := io.ReadAll(r)
	return string(msg), err
}
