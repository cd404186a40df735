package rpc_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

func TestNoCallFailsWhileAServerShutsDown(t *testing.T) {
	for name, at := range arrangements {
		for _, opts := range [][]rpc.CallOption{nil, {rpc.WithWaitForReady()}} {
			t.Run(name, func(t *testing.T) {
				inBubble(t, func(t *testing.T, m *rpc.Method) {
					f := newFleet(t)
					f.takes = 300 * time.Millisecond
					c := f.client(at.url, at.opts...)
					if _, err := converse(t.Context(), c, m, []string{"before"}); err != nil {
						t.Fatal(err)
					}
					pass(time.Minute)
					seen := states(c)
					calls := startLoop(t, 5*time.Millisecond, c, m, opts...)
					f.leave()
					if err := <-shutdown(f.a, time.Minute); err != nil {
						t.Errorf("Shutdown: %v", err)
					}
					pass(time.Second)
					calls.end(t)
					if calls.slowest > 10*time.Millisecond {
						t.Errorf("a call has waited %v", calls.slowest)
					}
					wantNoFailure(t, seen())
				})
			})
		}
	}
}

func TestIdleClientsMoveWithoutAFailure(t *testing.T) {
	for name, at := range arrangements {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				c := f.client(at.url, at.opts...)
				if _, err := c.Connect(t.Context()); err != nil {
					t.Fatal(err)
				}
				pass(time.Minute)
				seen := states(c)
				f.leave()
				began := time.Now()
				if err := <-shutdown(f.a, time.Minute); err != nil || time.Since(began) > 3*time.Second {
					t.Errorf("Shutdown: %v after %v", err, time.Since(began))
				}
				if _, err := converse(t.Context(), c, unary, []string{""}); err != nil {
					t.Error(err)
				}
				wantNoFailure(t, seen())
			})
		})
	}
}

func TestIdleClientsReconnectEvenlyOverTheSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients, spread = 400, 10 * time.Second
		f := newFleet(t, rpc.WithDrain(rpc.Drain{Spread: spread}))
		for range clients {
			if _, err := f.client(home).Connect(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		pass(time.Second)
		f.attempts()
		f.leave()
		began := time.Now()
		if err := <-shutdown(f.a, time.Minute); err != nil {
			t.Error(err)
		}
		var tenths [10]int
		for _, d := range f.wantAttempts(clients) {
			tenths[min(d.at.Sub(began)*10/spread, 9)]++
		}
		if slices.Min(tenths[:]) < clients/20 || slices.Max(tenths[:]) > clients/5 {
			t.Errorf("dials in each tenth of the spread: %v", tenths)
		}
	})
}

// A client that makes calls connects to another server as soon as it gets
// notice. So the server does not send the notices to all at once.
func TestBusyClientsReconnectEvenlyOverTheSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients, spread = 100, 10 * time.Second
		f := newFleet(t, rpc.WithDrain(rpc.Drain{Spread: spread}))
		loops := make([]*loop, clients)
		for i := range loops {
			c := f.client(home)
			if _, err := c.Connect(t.Context()); err != nil {
				t.Fatal(err)
			}
			loops[i] = startLoop(t, 500*time.Millisecond, c, unary)
		}
		pass(time.Second)
		f.attempts()
		f.leave()
		began := time.Now()
		if err := <-shutdown(f.a, time.Minute); err != nil {
			t.Error(err)
		}
		for _, l := range loops {
			l.end(t)
		}
		var fifths [5]int
		for _, d := range f.wantAttempts(clients) {
			fifths[min(d.at.Sub(began)*5/spread, 4)]++
		}
		if slices.Min(fifths[:]) < clients/20 || slices.Max(fifths[:]) > clients*2/5 {
			t.Errorf("dials in each fifth of the spread: %v", fifths)
		}
	})
}

func TestNoCallFailsWhileConnectionsGrowOld(t *testing.T) {
	for name, at := range arrangements {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *rpc.Method) {
				f := newFleet(t, rpc.WithMaxConnectionAge(time.Minute, time.Minute))
				f.takes = 300 * time.Millisecond
				c := f.client(at.url, at.opts...)
				if _, err := converse(t.Context(), c, m, []string{"before"}); err != nil {
					t.Fatal(err)
				}
				pass(time.Second)
				f.attempts()
				seen := states(c)
				calls := startLoop(t, 50*time.Millisecond, c, m)
				pass(2 * time.Minute)
				calls.end(t)
				if got := len(f.attempts()); got == 0 || got > 5 {
					t.Errorf("%d dials", got)
				}
				wantNoFailure(t, seen())
			})
		})
	}
}

// refusing is a server that answers handshakes with HTTP 503, and with
// Retry-After unless that is 0.
func refusing(t *testing.T, why string, comeBack time.Duration) func(dialed) (transport.Link, error) {
	t.Helper()
	refused := &ws.HandshakeError{Status: http.StatusServiceUnavailable, RetryAfter: comeBack, Body: why}
	return func(dialed) (transport.Link, error) {
		return nil, rpc.Errorf(rpc.CodeUnavailable, "%w", refused)
	}
}

func TestACallDuringTheNoticeDialsAtOnceAndGoesOverTheOldSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		links := n.serveRaw()
		c := n.client(home)
		if _, err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		p := <-links
		n.takes = time.Second
		n.serve(home, echoServer())
		n.wantAttempts(1)
		p.write(notice(30 * time.Second))
		pass(10 * time.Second)
		n.wantAttempts(0)
		call := start(func() ([]string, error) { return converse(t.Context(), c, unary, []string{"old"}) })
		id := p.takeCall()
		synctest.Wait()
		n.wantAttempts(1)
		pass(2 * time.Second)
		p.wantNotice() // it has moved
		p.write(dataFrame(id, 0, []byte("\x0a\x03old")), endFrame(id, nil))
		if out := <-call; out.err != nil {
			t.Error(out.err)
		}
		if got, err := converse(t.Context(), c, unary, []string{"new"}); err != nil || got[0] != "new" {
			t.Errorf("%q, %v", got, err)
		}
		p.write((&frame.GoAway{LastStream: id}).Append(nil))
		began := time.Now()
		p.wantGoAway()
		p.wantClose(transport.CloseNormal)
		if took := time.Since(began); took != time.Second {
			t.Errorf("the client has closed after %v", took)
		}
	})
}

func TestReverseCallsGoOnOverTheOldSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conns := make(chan *rpc.Conn, 2)
		var r record
		f := &fleet{network: newNetwork(t)}
		hooks := func(name string) []rpc.ServerOption {
			return []rpc.ServerOption{
				rpc.OnConnect(func(c *rpc.Conn) { r.add("%s begins", name); conns <- c }),
				rpc.OnDisconnect(func(*rpc.Conn, error) { r.add("%s ends", name) }),
			}
		}
		f.a, f.b = rpc.NewServer(hooks("old")...), rpc.NewServer(hooks("new")...)
		f.serve(home, f.a)
		services := rpc.NewMux()
		registerAll(services, echo)
		c := f.client(home, rpc.WithServices(services))
		if _, err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		old := <-conns
		s, err := old.Open(t.Context(), bidi)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		f.serve(home, f.b)
		done := shutdown(f.a, time.Minute)
		young := <-conns // and the client has moved
		pass(10 * time.Second)
		if len(done) > 0 {
			t.Fatal("Shutdown does not wait for calls of the server")
		}
		for _, conn := range []*rpc.Conn{old, young} {
			if _, err := converse(t.Context(), conn, unary, []string{"reverse"}); err != nil {
				t.Error(err)
			}
		}
		if err := s.Send(text("still")); err != nil {
			t.Error(err)
		}
		if got, err := recvOne(s); err != nil || got != "still" {
			t.Errorf("%q, %v", got, err)
		}
		s.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
		_, err = converse(t.Context(), old, unary, []string{"late"})
		wantError(t, err, rpc.CodeUnavailable)
		synctest.Wait() // the hook runs on another goroutine
		if got := r.take(); !slices.Equal(got, []string{"old begins", "new begins", "old ends"}) {
			t.Errorf("told %q", got)
		}
	})
}

func TestACallThatIsInFlightOutlivesTheMove(t *testing.T) {
	inBubble(t, func(t *testing.T, m *rpc.Method) {
		if !m.ClientStreams {
			return
		}
		f := newFleet(t)
		c := f.client(home)
		s, err := c.Open(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.Send(text("one")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		f.leave()
		done := shutdown(f.a, time.Minute)
		pass(20 * time.Second)
		if err := s.Send(text("two")); err != nil {
			t.Error(err)
		}
		_ = s.CloseSend()
		if got, err := recvAll(s); err != nil || !slices.Equal(got, echoed(m, []string{"one", "two"})) {
			t.Errorf("%q, %v", got, err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestASuccessorThatNeverComesLeavesCallsOnTheOldSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		old := echoServer()
		n.serve(home, old)
		c := n.client(home)
		if _, err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		n.answer(home, nil)
		seen := states(c)
		done := shutdown(old, time.Minute)
		for range 4 {
			pass(time.Second)
			if _, err := converse(t.Context(), c, unary, []string{""}); err != nil {
				t.Error(err)
			}
		}
		wantNoFailure(t, seen())
		if dials := len(n.attempts()); dials < 4 || dials > 20 {
			t.Errorf("%d dials", dials)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		pass(time.Second)
		_, err := converse(t.Context(), c, unary, []string{""})
		wantError(t, err, rpc.CodeUnavailable)
		n.serve(home, echoServer())
		if _, err := converse(t.Context(), c, unary, []string{""}, rpc.WithWaitForReady()); err != nil {
			t.Error(err)
		}
	})
}

func TestADialedConnectionHasNoSuccessor(t *testing.T) {
	finish, told := make(chan struct{}), make(chan error, 2)
	srv := rpc.NewServer(rpc.WithDrain(rpc.Drain{Spread: -1}))
	register(srv, unary, patientHandler(finish, told))
	register(srv, bidi, echo)
	dials := make(chan struct{}, 10)
	url := serveHTTP(t, srv, func(*http.Request) { dials <- struct{}{} })
	conn := dial(t, url)
	call := start(func() ([]string, error) { return converse(context.Background(), conn, unary, []string{"question"}) })
	if _, err := converse(t.Context(), conn, bidi, []string{""}); err != nil {
		t.Fatal(err)
	}
	done := shutdown(srv, 4*time.Second)
	<-conn.Draining()
	if _, err := converse(t.Context(), conn, bidi, []string{"new"}); err != nil {
		t.Errorf("during the notice: %v", err)
	}
	var err error
	for err == nil {
		_, err = converse(t.Context(), conn, bidi, []string{"late"})
	}
	wantError(t, err, rpc.CodeUnavailable)
	close(finish)
	if out := <-call; out.err != nil {
		t.Errorf("the old call: %v", out.err)
	}
	if err := <-done; err != nil || len(dials) != 1 {
		t.Errorf("%v, %d dials", err, len(dials))
	}
}
