package ws_test

import (
	"context"
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

// timed runs Close and checks that it keeps its bound. The machine may be slow,
// so there is some slack.
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

func TestFirstCloseDecidesWhatThePeerReceives(t *testing.T) {
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

// wantPrompt checks that f can end within 300 ms, which is less than any step of
// Close may wait for the peer. The machine may be slow, so f gets five chances.
func wantPrompt(t *testing.T, f func() time.Duration) {
	t.Helper()
	var took [5]time.Duration
	for i := range took {
		if took[i] = f(); took[i] < 300*time.Millisecond {
			return
		}
	}
	t.Errorf("took %v", took)
}

// tellingConn reports when it is read.
type tellingConn struct {
	net.Conn
	reads chan struct{}
}

func (c tellingConn) Read(p []byte) (int, error) {
	c.reads <- struct{}{}
	return c.Conn.Read(p)
}

func TestCloseUnblocksAWaitingReaderAtOnce(t *testing.T) {
	url, accepted := serve(t, &ws.Upgrader{})
	reads := make(chan struct{}, 100)
	d := &ws.Dialer{NetDial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return tellingConn{conn, reads}, err
	}}
	wantPrompt(t, func() time.Duration {
		client, err := d.Dial(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		accept(t, accepted) // and do not react
		for len(reads) > 0 {
			<-reads
		}
		done := make(chan error, 1)
		go func() { done <- nextReader(client) }()
		<-reads
		start := time.Now()
		closed := make(chan error, 1)
		go func() { closed <- client.Close(transport.CloseNormal, "") }()
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v", err)
		}
		took := time.Since(start)
		if err := <-closed; err != nil {
			t.Error(err)
		}
		return took
	})
}

func TestPeerThatWaitsForTheServerToCloseFirstIsNotKeptWaiting(t *testing.T) {
	wantPrompt(t, func() time.Duration {
		p, server := upgraded(t, &ws.Upgrader{})
		start := time.Now()
		go server.Close(transport.CloseNormal, "")
		p.wantCloseFrame(1000)
		p.wantEOF()
		return time.Since(start)
	})
}

func TestServerThatWasClosedDoesNotWaitForTheClient(t *testing.T) {
	wantPrompt(t, func() time.Duration {
		p, server := upgraded(t, &ws.Upgrader{})
		p.frame(fin|opClose, closePayload(1000, ""))
		wantClose(t, nextReader(server), byPeer(transport.CloseNormal))
		start := time.Now()
		if err := server.Close(transport.CloseNormal, ""); err != nil {
			t.Error(err)
		}
		return time.Since(start)
	})
}

// fill writes until the peer's window is full and a write makes no progress. It
// returns a channel that is closed then, and one with the error that ends that
// write.
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

// timeless is a connection without deadlines, as Dialer.NetDial may return.
type timeless struct{ net.Conn }

func (timeless) SetDeadline(time.Time) error      { return nil }
func (timeless) SetReadDeadline(time.Time) error  { return nil }
func (timeless) SetWriteDeadline(time.Time) error { return nil }

func TestCloseIsBoundedOnAConnectionWithoutDeadlines(t *testing.T) {
	url, accepted := serve(t, &ws.Upgrader{})
	d := &ws.Dialer{NetDial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return timeless{conn}, err
	}}
	client, err := d.Dial(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	accept(t, accepted) // and do nothing with it
	done := make(chan error, 1)
	go func() { done <- nextReader(client) }()
	_ = timed(t, client, transport.CloseNormal)
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("read: %v", err)
	}
}

func TestCloseFrameArrivesThoughSomethingIsUnread(t *testing.T) {
	both(t, func(t *testing.T, self, peer *ws.Conn) {
		// Unread data would make the kernel reset the connection, and drop what
		// the peer had no room for.
		msg := strings.Repeat("x", 64<<10)
		write(t, peer, msg)
		done := make(chan error, 1)
		go func() { // beside the reader, as the kernels need not have room for it all
			for range 16 {
				if err := self.WriteMessage([][]byte{[]byte(msg)}); err != nil {
					t.Errorf("WriteMessage: %v", err)
				}
			}
			done <- self.Close(transport.CloseTryAgainLater, "busy")
		}()
		for range 16 {
			if got := read(t, peer); got != msg {
				t.Errorf("got %d bytes", len(got))
			}
		}
		if got := wantClose(t, nextReader(peer), byPeer(transport.CloseTryAgainLater)); got != "busy" {
			t.Errorf("reason %q", got)
		}
		_ = peer.Close(transport.CloseNormal, "")
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
	p.frame(fin|opPong, "unsolicited")
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
