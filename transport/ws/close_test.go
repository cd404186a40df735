package ws_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// bound is how long Close may take.
const bound = time.Second

// timed runs Close and checks that it keeps its bound. The machine that runs the
// test may be slow, so there is some slack.
func timed(t *testing.T, c *ws.Conn, code transport.CloseCode) error {
	t.Helper()
	start := time.Now()
	err := c.Close(code, "")
	if took := time.Since(start); took > bound {
		t.Errorf("Close took %v", took)
	}
	return err
}

// both runs a test with either end of a connection as the one that closes.
func both(t *testing.T, f func(t *testing.T, self, peer *ws.Conn)) {
	t.Run("client closes", func(t *testing.T) {
		client, server := connect(t)
		f(t, client, server)
	})
	t.Run("server closes", func(t *testing.T) {
		client, server := connect(t)
		f(t, server, client)
	})
}

func TestCloseCodesTravelBothWays(t *testing.T) {
	codes := []transport.CloseCode{
		1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000,
		transport.CloseRefusal, transport.CloseRefusal + 7, transport.CloseRefusal + 16, 4999,
	}
	for _, code := range codes {
		both(t, func(t *testing.T, self, peer *ws.Conn) {
			write(t, self, "last words")
			done := make(chan error, 1)
			go func() { done <- self.Close(code, "because") }()
			if got := read(t, peer); got != "last words" {
				t.Errorf("got %q", got)
			}
			if got := wantClose(t, nextReader(peer), byPeer(code)); got != "because" {
				t.Errorf("reason %q", got)
			}
			if err := peer.Close(transport.CloseNormal, ""); err != nil {
				t.Error(err)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCloseWithoutStatusIsReportedAs1005(t *testing.T) {
	both(t, func(t *testing.T, self, peer *ws.Conn) {
		done := make(chan error, 1)
		go func() { done <- self.Close(transport.CloseNoStatus, "dropped") }()
		if got := wantClose(t, nextReader(peer), byPeer(transport.CloseNoStatus)); got != "" {
			t.Errorf("reason %q", got)
		}
		_ = peer.Close(transport.CloseNormal, "")
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestPeerThatVanishesIsALostLink(t *testing.T) {
	for _, code := range []transport.CloseCode{transport.CloseAbnormal, transport.CloseTLSHandshake} {
		both(t, func(t *testing.T, self, peer *ws.Conn) {
			if err := self.Close(code, "never sent"); err != nil {
				t.Fatal(err)
			}
			err := nextReader(peer)
			var closed *transport.CloseError
			if errors.As(err, &closed) || !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "1006") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestCodesThatMustNotBeSentBecome1011(t *testing.T) {
	for _, code := range []transport.CloseCode{0, -1, 999, 1004, 1014, 1016, 2999, 5000, 70000} {
		p, server := upgraded(t, &ws.Upgrader{})
		done := make(chan error, 1)
		go func() { done <- server.Close(code, "") }()
		p.wantCloseFrame(1011)
		_ = p.conn.Close()
		<-done
	}
}

func TestCloseReasonIsCutBetweenRunes(t *testing.T) {
	for reason, want := range map[string]string{
		strings.Repeat("x", 123):                strings.Repeat("x", 123),
		strings.Repeat("x", 124):                strings.Repeat("x", 123),
		strings.Repeat("ü", 62):                 strings.Repeat("ü", 61),
		"x" + strings.Repeat("ü", 62):           "x" + strings.Repeat("ü", 61),
		strings.Repeat("x", 120) + "\U0001F600": strings.Repeat("x", 120),
		"bro\xffken":                            "bro\ufffdken",
	} {
		p, server := upgraded(t, &ws.Upgrader{})
		if got := p.wantClosing(server, transport.CloseNormal, reason); got != want {
			t.Errorf("%q arrived as %q", reason, got)
		}
	}
}

func TestFirstCloseDecidesWhatThePeerIsTold(t *testing.T) {
	both(t, func(t *testing.T, self, peer *ws.Conn) {
		var closing sync.WaitGroup
		closing.Go(func() { _ = self.Close(transport.CloseServiceRestart, "first") })
		wantClose(t, nextReader(peer), byPeer(transport.CloseServiceRestart))
		for range 3 {
			closing.Go(func() { _ = self.Close(transport.CloseNormal, "later") })
		}
		_ = peer.Close(transport.CloseNormal, "")
		closing.Wait()
		for range 2 {
			if err := nextReader(self); !errors.Is(err, net.ErrClosed) {
				t.Errorf("read: %v", err)
			}
			if err := self.WriteMessage(nil); !errors.Is(err, net.ErrClosed) {
				t.Errorf("write: %v", err)
			}
		}
	})
}

func TestPeersCodeIsEchoed(t *testing.T) {
	t.Run("by the server", func(t *testing.T) {
		p, server := upgraded(t, &ws.Upgrader{})
		p.frame(fin|opClose, closePayload(4007, "mine"))
		wantClose(t, nextReader(server), byPeer(4007))
		go server.Close(transport.CloseNormal, "another")
		if got := p.wantCloseFrame(4007); got != "" {
			t.Errorf("reason %q", got)
		}
		p.wantEOF() // though this end has not closed: a server closes first
	})
	t.Run("by the client", func(t *testing.T) {
		client, p := rawServer(t)
		p.frame(fin|opClose, closePayload(1001, ""))
		wantClose(t, nextReader(client), byPeer(transport.CloseGoingAway))
		done := make(chan error, 1)
		go func() { done <- client.Close(transport.CloseNormal, "") }()
		p.wantCloseFrame(1001)
		_ = p.conn.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Run("without status", func(t *testing.T) {
		p, server := upgraded(t, &ws.Upgrader{})
		p.frame(fin|opClose, "")
		wantClose(t, nextReader(server), byPeer(transport.CloseNoStatus))
		go server.Close(transport.CloseNormal, "")
		p.wantCloseFrame(1005)
	})
}

func TestBothEndsMayCloseAtOnce(t *testing.T) {
	client, server := connect(t)
	var closing sync.WaitGroup
	for _, c := range []*ws.Conn{client, server} {
		closing.Go(func() {
			if err := timed(t, c, transport.CloseNormal); err != nil {
				t.Error(err)
			}
		})
	}
	closing.Wait()
}

func TestCloseUnblocksAWaitingReader(t *testing.T) {
	both(t, func(t *testing.T, self, _ *ws.Conn) {
		done := make(chan error, 1)
		go func() { done <- nextReader(self) }()
		_ = timed(t, self, transport.CloseNormal)
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
}

// fill writes until the peer's window is full and a write makes no progress. It
// returns a channel that tells so, and one with the error that ends that write.
func fill(c *ws.Conn) (blocked <-chan struct{}, ended <-chan error) {
	stuck, done := make(chan struct{}), make(chan error, 1)
	msg := [][]byte{make([]byte, 1<<20)}
	go func() {
		for {
			idle := time.AfterFunc(200*time.Millisecond, func() { close(stuck) })
			err := c.WriteMessage(msg)
			if !idle.Stop() || err != nil {
				done <- err
				return
			}
		}
	}()
	return stuck, done
}

func TestCloseIsBoundedWhenAWriteIsBlocked(t *testing.T) {
	both(t, func(t *testing.T, self, _ *ws.Conn) {
		blocked, ended := fill(self)
		<-blocked
		if err := timed(t, self, transport.CloseGoingAway); err == nil {
			t.Error("claims to have told a peer that does not read")
		}
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("the blocked write returned %v", err)
		}
	})
}

func TestCloseIsBoundedWhenThePeerNeitherReadsNorCloses(t *testing.T) {
	both(t, func(t *testing.T, self, _ *ws.Conn) {
		if err := timed(t, self, transport.CloseGoingAway); err != nil {
			t.Errorf("there was room for the frame: %v", err)
		}
	})
}

func TestCloseFrameArrivesThoughSomethingIsUnread(t *testing.T) {
	both(t, func(t *testing.T, self, peer *ws.Conn) {
		msg := [][]byte{make([]byte, 64<<10)}
		var writing sync.WaitGroup
		writing.Go(func() {
			var err error
			for err == nil { // until its own Close
				err = peer.WriteMessage(msg)
			}
		})
		write(t, self, "before")
		done := make(chan error, 1)
		go func() { done <- self.Close(transport.CloseTryAgainLater, "busy") }()
		if got := read(t, peer); got != "before" {
			t.Errorf("got %q", got)
		}
		if got := wantClose(t, nextReader(peer), byPeer(transport.CloseTryAgainLater)); got != "busy" {
			t.Errorf("reason %q", got)
		}
		_ = peer.Close(transport.CloseNormal, "")
		writing.Wait()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestPingIsAnswered(t *testing.T) {
	p, server := upgraded(t, &ws.Upgrader{})
	go func() { _ = nextReader(server) }()
	for _, payload := range []string{"", "are you there?", strings.Repeat("x", 125)} {
		p.frame(fin|opPing, payload)
		head, got, err := p.receive()
		if err != nil || head != fin|opPong || got != payload {
			t.Fatalf("ping %q: %#x %q %v", payload, head, got, err)
		}
	}
	_ = p.conn.Close()
}

func TestPongOfThePeerIsIgnored(t *testing.T) {
	p, server := upgraded(t, &ws.Upgrader{})
	p.frame(fin|opPong, "nobody asked")
	p.frame(fin|opBinary, "message")
	if got := read(t, server); got != "message" {
		t.Errorf("got %q", got)
	}
}

func TestPingsDoNotMakeTheReaderWaitForAPeerThatDoesNotRead(t *testing.T) {
	p, server := upgraded(t, &ws.Upgrader{})
	blocked, ended := fill(server)
	<-blocked
	start := time.Now()
	for range 1000 {
		p.frame(fin|opPing, "answer me")
	}
	p.frame(fin|opBinary, "message")
	if got := read(t, server); got != "message" {
		t.Errorf("got %q", got)
	}
	if took := time.Since(start); took > bound { // gorilla's own answer takes a second each
		t.Errorf("took %v", took)
	}
	_ = timed(t, server, transport.CloseGoingAway)
	<-ended
}
