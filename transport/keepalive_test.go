package transport_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

// pinged returns when the session sends a PING, and when it gives up the link,
// counted from now on.
func pinged(t *testing.T, s *transport.Session, p *peer) (asked, lost time.Duration) {
	t.Helper()
	begin := time.Now()
	for s.Err() == nil {
		advance(100 * time.Millisecond)
		for _, f := range p.got() {
			if !strings.HasPrefix(f, "PING") {
				t.Fatalf("the session said %s", f)
			}
			if asked == 0 {
				asked = time.Since(begin)
			}
		}
		if time.Since(begin) > time.Hour {
			t.Fatal("a silent peer is never given up")
		}
	}
	p.wantsLoss()
	wantCode(t, s.Err(), transport.CloseAbnormal)
	return asked, time.Since(begin)
}

func TestSilentPeerIsAskedWithinTheKeepaliveAndLostSoonAfter(t *testing.T) {
	for _, c := range []struct {
		what        string
		own, peers  time.Duration // keepalives; 0: not sent
		timeout     time.Duration
		ask, giveUp time.Duration // at the latest
	}{
		{"the default", 0, 0, 0, 15 * time.Second, 25 * time.Second},
		{"ours is shorter", 4 * time.Second, 0, 0, 4 * time.Second, 8 * time.Second},
		{"the peer's is shorter", 20 * time.Second, 2 * time.Second, 0, 2 * time.Second, 4 * time.Second},
		{"shorter pong timeout", 4 * time.Second, 0, time.Second, 4 * time.Second, 5 * time.Second},
	} {
		for _, silentSince := range []time.Duration{0, 700 * time.Millisecond, 61 * time.Second} {
			t.Run(c.what+" silent since "+silentSince.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, p := connectSession(t, transport.Acceptor, transport.Config{Parameters: transport.Parameters{Keepalive: c.own, KeepaliveTimeout: c.timeout}},
						frame.Hello{Keepalive: uint64(c.peers.Milliseconds())})
					for begin := time.Now(); time.Since(begin) < silentSince; {
						advance(100 * time.Millisecond)
						p.send(frame.AppendAck(nil, 0))
					}
					synctest.Wait()
					p.got()
					asked, lost := pinged(t, s, p)
					if asked > c.ask || asked < c.ask/2 {
						t.Errorf("asked after %v of silence, want about %v", asked, c.ask)
					}
					if lost > c.giveUp || lost < c.giveUp/2 {
						t.Errorf("given up after %v of silence, want about %v", lost, c.giveUp)
					}
				})
			})
		}
	}
}

func TestPeerThatAnswersIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, transport.Config{Parameters: transport.Parameters{Keepalive: 2 * time.Second}}, frame.Hello{})
		asked := 0
		for begin := time.Now(); time.Since(begin) < 10*time.Minute; {
			advance(100 * time.Millisecond)
			for _, f := range p.got() {
				if !strings.HasPrefix(f, "PING") {
					t.Fatalf("the session said %s", f)
				}
				asked++
				advance(1500 * time.Millisecond)
				p.send(pong("12345678"))
			}
		}
		if err := s.Err(); err != nil {
			t.Error(err)
		}
		if asked < 100 || asked > 600 {
			t.Errorf("asked %d times in 10 minutes", asked)
		}
	})
}

func TestPeerThatSaysAnythingIsNotAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, transport.Config{Parameters: transport.Parameters{Keepalive: 2 * time.Second}}, frame.Hello{})
		for range 100 {
			advance(time.Second)
			p.send(raw(12, frame.FlagIgnorable, 0, ""))
		}
		p.wants()
		if err := s.Err(); err != nil {
			t.Error(err)
		}
	})
}

func TestTwoIdleSessionsKeepEachOtherAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a := pair(t, transport.Config{}, transport.Config{Parameters: transport.Parameters{Keepalive: time.Second}})
		advance(2 * time.Hour)
		if d.Err() != nil || a.Err() != nil {
			t.Errorf("ended: %v, %v", d.Err(), a.Err())
		}
	})
}

func TestPeerBehindADeadRouterIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{})
		p.link.Drop()
		st := mustOpen(t, s)
		received := start(func() error { _, err := st.Recv(t.Context(), nil); return err })
		begin := time.Now()
		wantCode(t, <-received, transport.CloseAbnormal)
		if took := time.Since(begin); took > 25*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestPeerThatTakesNothingIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // L7: the peer sends, but never reads
		s, p := connectSessionOver(t, pipe.Config{Capacity: 1}, transport.Dialer, transport.Config{}, generous)
		p.link.Stall()
		st := mustOpen(t, s)
		sent := start(func() error {
			return st.Send(t.Context(), make([]byte, 1<<20), transport.SendOptions{})
		})
		begin := time.Now()
		for s.Err() == nil {
			p.send(frame.AppendAck(nil, 0))
			advance(time.Second)
			if time.Since(begin) > time.Minute {
				t.Fatal("a peer that takes nothing is never given up")
			}
		}
		if took := time.Since(begin); took < 30*time.Second || took > 45*time.Second {
			t.Errorf("given up after %v", took)
		}
		wantCode(t, <-sent, transport.CloseAbnormal)
	})
}

func TestPeerThatTakesSlowlyIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSessionOver(t, pipe.Config{Capacity: 1}, transport.Dialer, transport.Config{Parameters: transport.Parameters{Keepalive: time.Second}}, generous)
		st := mustOpen(t, s)
		for range 60 {
			p.link.Stall()
			mustSend(t, st, "one")
			mustSend(t, st, "two")
			advance(900 * time.Millisecond)
			p.send(frame.AppendAck(nil, 0))
			p.link.Resume()
			advance(time.Millisecond)
		}
		if err := s.Err(); err != nil {
			t.Error(err)
		}
	})
}

// slowLink is a link whose messages arrive byte by byte, until it falls silent.
type slowLink struct {
	*pipe.End
	every time.Duration
	most  int // bytes that arrive; later ones never do
	gone  chan struct{}
	once  sync.Once
}

func (d *slowLink) NextReader() (io.Reader, error) {
	r, err := d.End.NextReader()
	return &slowReader{d, r}, err
}

func (d *slowLink) Close(code transport.CloseCode, reason string) error {
	d.once.Do(func() { close(d.gone) })
	return d.End.Close(code, reason)
}

type slowReader struct {
	*slowLink
	r io.Reader
}

func (r *slowReader) Read(b []byte) (int, error) {
	var due <-chan time.Time
	if r.most > 0 {
		due = time.After(r.every)
		r.most--
	}
	select {
	case <-due:
		return r.r.Read(b[:1])
	case <-r.gone:
		return 0, pipe.ErrClosed
	}
}

func connectSlowly(t *testing.T, d *slowLink) (*transport.Session, *peer) {
	t.Helper()
	own, other := pipe.New(pipe.Config{})
	d.End, d.gone = own, make(chan struct{})
	s, err := transport.NewSession(d, transport.Acceptor, transport.Config{Parameters: transport.Parameters{Keepalive: 2 * time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(transport.CloseNormal, "") })
	p := &peer{t: t, link: other}
	go p.read()
	return s, p
}

func TestPeerThatStopsInTheMiddleOfAFrameIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // L6
		s, p := connectSlowly(t, &slowLink{every: time.Millisecond, most: 150})
		p.send(hello(), open(1, ""), data(1, strings.Repeat("x", 200))) // OPEN counts once 131 bytes have followed
		st := mustAccept(t, s)
		advance(time.Second)
		p.got()
		asked, lost := pinged(t, s, p)
		if asked > 2*time.Second || lost > 4*time.Second {
			t.Errorf("asked after %v, lost after %v", asked, lost)
		}
		wantCode(t, recvErr(t, st), transport.CloseAbnormal)
	})
}

func TestSlowLinkMessageKeepsTheLinkAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // L8
		s, p := connectSlowly(t, &slowLink{every: time.Second, most: 1 << 20})
		p.send(hello())
		p.send(open(1, ""), data(1, strings.Repeat("x", 100)))
		if got := mustRecv(t, mustAccept(t, s)); len(got) != 100 {
			t.Errorf("got %d bytes", len(got))
		}
		p.wants("HELLO")
	})
}

func TestPingMeasuresTheRoundTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dl, al := pipe.New(pipe.Config{Latency: 30 * time.Millisecond})
		d, err := transport.NewSession(dl, transport.Dialer, transport.Config{})
		if err != nil {
			t.Fatal(err)
		}
		a, err := transport.NewSession(al, transport.Acceptor, transport.Config{})
		if err != nil {
			t.Fatal(err)
		}
		if took, err := d.Ping(t.Context()); err != nil || took != 60*time.Millisecond {
			t.Errorf("got %v, %v", took, err)
		}
		if _, err := d.Ping(ended(t)); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		waiting := start(func() error { _, err := a.Ping(t.Context()); return err })
		stillWaits(t, waiting)
		a.Close(transport.CloseGoingAway, "")
		wantCode(t, <-waiting, transport.CloseGoingAway)
		d.Close(transport.CloseNormal, "")
		_, err = a.Ping(t.Context())
		wantCode(t, err, transport.CloseGoingAway)
	})
}

func TestOneAnswerToTheNewestOfManyPingsEndsThemAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // A4
		s, p := connectSession(t, transport.Acceptor, transport.Config{Parameters: transport.Parameters{Keepalive: 2 * time.Second}}, frame.Hello{})
		var waiting []<-chan error
		for range 100 {
			waiting = append(waiting, start(func() error { _, err := s.Ping(t.Context()); return err }))
		}
		var asked []string
		for len(asked) <= 100 { // until the last PING is the session's own
			advance(100 * time.Millisecond)
			asked = append(asked, p.got()...)
		}
		newest := strings.TrimPrefix(asked[100], "PING ")
		p.send(pong(unquote(t, newest)))
		synctest.Wait()
		for i, answered := range waiting {
			if len(answered) == 0 {
				t.Fatalf("the %dth Ping still waits", i)
			}
			if err := <-answered; err != nil {
				t.Error(err)
			}
		}
	})
}
