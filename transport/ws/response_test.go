package ws_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/transport/ws"
)

// answer returns a server's response to the request of a vector.
func (v *handshakeVector) answer(r *http.Request) string {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", v.Status, http.StatusText(v.Status))
	if v.Status == http.StatusSwitchingProtocols {
		fmt.Fprintf(&b, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n", acceptKey(r.Header.Get("Sec-WebSocket-Key")))
	} else {
		b.WriteString("Content-Length: 0\r\n")
	}
	if v.Selected != "" {
		fmt.Fprintf(&b, "Sec-WebSocket-Protocol: %s\r\n", v.Selected)
	}
	if v.Versions != "" {
		fmt.Fprintf(&b, "Parley-Versions: %s\r\n", v.Versions)
	}
	return b.String() + "\r\n"
}

// TestDialerTakesTheAnswersOfTheSpecification tests the result of a dial for
// each response; package rpc tests what the caller sees.
func TestDialerTakesTheAnswersOfTheSpecification(t *testing.T) {
	for _, v := range handshakeVectors(t, "dialer") {
		t.Run(v.Name, func(t *testing.T) {
			closed := make(chan error, 1)
			url := rawListener(t, func(conn net.Conn) {
				p := &rawPeer{t: t, conn: conn, r: bufio.NewReader(conn)}
				r, err := http.ReadRequest(p.r)
				if err != nil {
					closed <- err
					return
				}
				if got := r.Header.Values("Sec-WebSocket-Protocol"); strings.Join(got, "\n") != strings.Join(v.Offered, "\n") {
					t.Errorf("offered %q, want %q", got, v.Offered)
				}
				_, err = io.WriteString(conn, v.answer(r))
				closed <- errors.Join(err, v.wantEnd(p))
			})
			names, begins := strings.CutSuffix(strings.Join(v.Offered, ", "), ", parley.new")
			d := &ws.Dialer{Subprotocols: strings.Split(names, ", "), NewSession: begins}
			c, err := d.Dial(t.Context(), url)
			if (err == nil) != (v.Outcome == "open") {
				t.Errorf("got %v, want the outcome %q", err, v.Outcome)
			}
			if err == nil {
				if c.Subprotocol() != v.Selected {
					t.Errorf("selected %q, want %q", c.Subprotocol(), v.Selected)
				}
				_ = c.Close(1000, "")
			} else {
				v.wantFailure(t, err)
			}
			if err := <-closed; err != nil {
				t.Error(err)
			}
		})
	}
}

// wantEnd checks the code with which the dialer closes the link, if it must.
func (v *handshakeVector) wantEnd(p *rawPeer) error {
	if v.Code == 0 {
		_, err := io.Copy(io.Discard, p.r)
		return err
	}
	head, payload, err := p.receive()
	if err != nil {
		return fmt.Errorf("no close frame with %d: %w", v.Code, err)
	}
	if want := closePayload(uint16(v.Code), ""); head != fin|opClose || !strings.HasPrefix(payload, want) {
		return fmt.Errorf("frame %x %q, want a close frame with %d", head, payload, v.Code)
	}
	return nil
}

func (v *handshakeVector) wantFailure(t *testing.T, err error) {
	t.Helper()
	var failed *ws.HandshakeError
	if !errors.As(err, &failed) || failed.Status != v.Status || failed.Stage != ws.StageUpgrade {
		t.Fatalf("got %v", err)
	}
	if v.Versions != "" && strings.Join(failed.ServerSubprotocols, ", ") != v.Versions {
		t.Errorf("the server speaks %q, want %q", failed.ServerSubprotocols, v.Versions)
	}
	for _, offer := range v.Offered {
		if _, credential, ok := strings.Cut(offer, "parley.bearer."); ok && strings.Contains(fmt.Sprintf("%v %+v", err, failed), credential) {
			t.Errorf("tells the credential: %v", err)
		}
	}
}
