package rpc_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

func TestAServerThatDoesNotKnowTheSessionStartsANewOneOnTheSameLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		d := newDiary()
		c := f.client(home, asClientOptions(d.options())...)
		old, err := c.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		f.wantAttempts(1)
		seen := states(c)
		f.serve(home, f.b)
		f.cut()
		<-old.Done()
		conn, err := c.Connect(t.Context()) // it is connected before the old one ends
		if err != nil || conn == old {
			t.Fatalf("the old connection is used: %v, %v", conn == old, err)
		}
		if got, err := converse(t.Context(), c, unary, []string{"on"}); err != nil || got[0] != "on" {
			t.Errorf("%q, %v", got, err)
		}
		f.wantAttempts(1)
		if got := seen(); !slices.Equal(got, []rpc.State{rpc.StateReady, rpc.StateResuming, rpc.StateReady}) {
			t.Errorf("the states were %v", got)
		}
		synctest.Wait()
		d.mu.Lock()
		defer d.mu.Unlock()
		told := slices.Clone(d.lines)
		slices.Sort(told)
		if !slices.Equal(told, []string{"away", "connected", "connected", "disconnected UNAVAILABLE", "gap UNAVAILABLE"}) {
			t.Errorf("told %q", told)
		}
	})
}

func TestCallsThatWereNotSentGoToTheNewSession(t *testing.T) {
	inBubble(t, func(t *testing.T, m *rpc.Method) {
		f := newFleet(t)
		c := f.client(home)
		if _, err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		f.takes = time.Second
		f.serve(home, f.b)
		f.cut()
		synctest.Wait()
		words := []string{"one", "two"}
		if got, err := converse(t.Context(), c, m, words); err != nil || !slices.Equal(got, echoed(m, words)) {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestSessionsThatAreLostAndUnknownAgainAndAgainAreNotDialedInALoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.answer(home, func(dialed) (transport.Link, error) {
			srv := echoServer()
			t.Cleanup(func() { _ = srv.Close() })
			d, a := n.link()
			if _, err := srv.StartLink(a); err != nil {
				return nil, err
			}
			time.AfterFunc(10*time.Millisecond, d.Cut)
			return d, nil
		})
		_, _ = n.client(home).Connect(t.Context())
		pass(time.Minute)
		if got := len(n.attempts()); got < 30 || got > 400 {
			t.Errorf("%d dials in a minute", got)
		}
	})
}

// ghosts are the ways in which a client reconnects to b after it has lost a,
// which still keeps its session.
var ghosts = map[string]func(*fleet){
	"it asks to resume": func(f *fleet) { f.serve(home, f.b) },
	"it has given up": func(f *fleet) {
		pass(9 * time.Second)
		f.serve(home, f.b)
	},
}

func TestClientThatReconnectsElsewhereIsNoGhost(t *testing.T) {
	for name, back := range ghosts {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conns := make(chan *rpc.Conn, 1)
				f := newFleet(t, rpc.OnConnect(func(c *rpc.Conn) { conns <- c }))
				services := rpc.NewMux()
				registerAll(services, echo)
				c := f.client(home, rpc.WithServices(services), rpc.WithResumption(rpc.Resumption{Window: 8 * time.Second}))
				if _, err := c.Connect(t.Context()); err != nil {
					t.Fatal(err)
				}
				ghost := <-conns
				pass(time.Minute)
				f.answer(home, nil)
				f.cut()
				synctest.Wait()
				// The server has its own limit for how long it keeps a session.
				back(f)
				pass(15 * time.Second)
				began := time.Now()
				_, err := converse(t.Context(), ghost, unary, []string{"boo"})
				wantError(t, err, rpc.CodeUnavailable)
				if took := time.Since(began); took != 0 || f.a.Connections() != 0 || f.b.Connections() != 1 {
					t.Errorf("after %v, with %d connections at the old server and %d at the new one", took, f.a.Connections(), f.b.Connections())
				}
			})
		})
	}
}

func TestANewSessionNamesItsPredecessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		srv := echoServer()
		n.serve(home, srv)
		c := n.client(home, rpc.WithResumption(rpc.Resumption{Window: 5 * time.Second}))
		if _, err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		n.answer(home, nil)
		n.cut()
		pass(6 * time.Second)
		hellos := make(chan frame.Hello, 10)
		n.answer(home, func(dialed) (transport.Link, error) {
			d, a := pipe.New(pipe.Config{})
			go func() {
				hellos <- readHello(t, a)
				a.Cut()
			}()
			return d, nil
		})
		for range 2 { // until a server has answered
			if h := <-hellos; len(h.Replaces) == 0 || len(h.ReplacesToken) != frame.TokenLen || h.Session != nil {
				t.Fatalf("HELLO %+v", h)
			}
		}
	})
}

// readHello reads the dialer's HELLO.
func readHello(t *testing.T, l *pipe.End) frame.Hello {
	r, err := l.NextReader()
	if err != nil {
		t.Error(err)
		return frame.Hello{}
	}
	b := make([]byte, 1<<10)
	k, _ := r.Read(b)
	h, n, err := frame.ParseHeader(b[:k])
	if err != nil {
		t.Error(err)
		return frame.Hello{}
	}
	hello, err := frame.ParseHello(b[n : n+int(h.Length)])
	if err != nil {
		t.Error(err)
	}
	return hello
}

func TestAStrangerCannotEndASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, other := echoServer(), echoServer()
		defer other.Close()
		_, hello := serveResumable(t, srv)
		wish := resumable
		wish.Replaces, wish.ReplacesToken = hello.Session, make([]byte, frame.TokenLen)
		linkRaw(t, other, wish)
		synctest.Wait()
		if srv.Connections() != 1 {
			t.Error("the session has ended")
		}
		wish.ReplacesToken = hello.Token
		linkRaw(t, other, wish)
		synctest.Wait()
		if srv.Connections() != 0 {
			t.Error("the session goes on")
		}
		_ = srv.Close()
	})
}
