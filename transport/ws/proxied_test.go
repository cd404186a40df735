package ws_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// tampering is what a proxy does to the first connection: it inserts bytes
// after so many bytes of one direction, and ends the connection.
type tampering struct {
	up     bool // the direction is from the client
	after  int
	inject string
	done   atomic.Bool
}

// proxy forwards connections to a server. It returns its address.
func proxy(t *testing.T, server string, by *tampering) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			backend, err := net.Dial("tcp", server)
			if err != nil {
				t.Error(err)
				_ = client.Close()
				continue
			}
			up, down := forward, forward
			switch first := !by.done.Swap(true); {
			case first && by.up:
				up = by.tamper
			case first:
				down = by.tamper
			}
			all.Go(func() { up(backend, client) })
			all.Go(func() { down(client, backend) })
		}
	})
	return l.Addr().String()
}

func forward(to, from net.Conn) {
	defer func() { _ = to.Close(); _ = from.Close() }()
	_, _ = io.Copy(to, from)
}

func (by *tampering) tamper(to, from net.Conn) {
	defer func() { _ = to.Close(); _ = from.Close() }()
	_, _ = io.CopyN(to, from, int64(by.after))
	_, _ = io.WriteString(to, by.inject)
}

// overProxy makes a client send messages through a proxy to a server that sends
// each back. A lost link is dialed again.
func overProxy(t *testing.T, by *tampering) (losses int32) {
	t.Helper()
	var sessions transport.Sessions
	var servers sync.WaitGroup
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		link, err := new(ws.Upgrader).Upgrade(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		_, err = transport.NewSession(link, transport.Acceptor, transport.Config{
			Sessions: &sessions,
			OnHello:  func(s *transport.Session) { servers.Go(func() { sendBack(s) }) },
		})
		if err != nil {
			t.Error(err)
		}
	}))
	defer srv.Close()
	addr := proxy(t, srv.Listener.Addr().String(), by)

	var lost atomic.Int32
	var resuming sync.WaitGroup
	dial := func() *ws.Conn {
		link, err := new(ws.Dialer).Dial(context.Background(), "ws://"+addr)
		if err != nil {
			t.Fatal(err)
		}
		return link
	}
	s, err := transport.NewSession(dial(), transport.Dialer, transport.Config{
		OnDetached: func(s *transport.Session, _ error) {
			lost.Add(1)
			resuming.Go(func() {
				if _, err := s.Resume(context.Background(), dial(), nil); err != nil {
					t.Errorf("not resumed: %v", err)
				}
			})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PeerSettings(context.Background()); err != nil { // before, there is nothing to resume
		t.Fatal(err)
	}
	roundTrips(t, s)
	resuming.Wait()
	_ = s.Close(transport.CloseNormal, "")
	servers.Wait()
	return lost.Load()
}

// sendBack sends the messages on the streams of a session back.
func sendBack(s *transport.Session) {
	defer func() { _ = s.Close(transport.CloseNormal, "") }()
	for {
		st, err := s.Accept(context.Background())
		if err != nil {
			return
		}
		for {
			m, err := st.Recv(context.Background(), nil)
			if err != nil {
				break
			}
			_ = st.Send(context.Background(), m.Bytes, transport.SendOptions{})
		}
		_ = st.CloseSend(context.Background(), nil)
		_ = st.Close()
	}
}

// numbered returns message i, of 8 to 9,000 bytes.
func numbered(i int) []byte {
	msg := make([]byte, 8+(i*2999)%9000)
	for k := range msg {
		msg[k] = byte(k * i)
	}
	binary.BigEndian.PutUint64(msg, uint64(i))
	return msg
}

func roundTrips(t *testing.T, s *transport.Session) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	st, err := s.Open(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	const messages = 60
	var sending sync.WaitGroup
	sending.Go(func() {
		for i := range messages {
			if err := st.Send(ctx, numbered(i), transport.SendOptions{}); err != nil {
				t.Errorf("message %d: %v", i, err)
				return
			}
		}
		_ = st.CloseSend(ctx, nil)
	})
	defer sending.Wait()
	for i := range messages {
		m, err := st.Recv(ctx, nil)
		if err != nil || string(m.Bytes) != string(numbered(i)) {
			t.Errorf("message %d came back with %d bytes, %v", i, len(m.Bytes), err)
			return
		}
	}
	if _, err := st.Recv(ctx, nil); !errors.Is(err, io.EOF) {
		t.Errorf("behind the last: %v", err)
	}
}

func TestCloseFrameThatAProxyPutsAnywhereCostsNothing(t *testing.T) {
	long := "\x03\xe9" + strings.Repeat("r", 123)
	injected := map[string]string{
		"not masked":                  "\x88\x02\x03\xe9",
		"masked":                      "\x88\x82\x01\x02\x03\x04\x02\xeb",
		"1012, not masked":            "\x88\x02\x03\xf4",
		"with a reason, not masked":   "\x88\x7d" + long,
		"with a reason, masked":       "\x88\xfd\x00\x00\x00\x00" + long,
		"only the half of it":         "\x88",
		"a frame with a reserved bit": "\xc2\x01x",
	}
	for name, inject := range injected {
		for _, direction := range []string{"up", "down"} {
			t.Run(direction+" "+name, func(t *testing.T) {
				t.Parallel()
				for k := range 6 {
					by := &tampering{up: direction == "up", after: 3000 + 7919*k + 100*k*k, inject: inject}
					if losses := overProxy(t, by); losses != 1 {
						t.Errorf("behind %d bytes: %d losses", by.after, losses)
					}
				}
			})
		}
	}
}
