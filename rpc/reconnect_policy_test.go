package rpc_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// TestClientReconnectsAsTheCloseCodeSays tests the last column of the table of
// close codes.
func TestClientReconnectsAsTheCloseCodeSays(t *testing.T) {
	const never = -1
	for code, within := range map[transport.CloseCode]time.Duration{
		1000: never, 1001: 0, 1002: 200 * time.Millisecond, 1003: 200 * time.Millisecond, 1007: 200 * time.Millisecond,
		1008: never, 1009: 200 * time.Millisecond, 1010: never, 1011: 200 * time.Millisecond, 1012: 5 * time.Second,
		1013: time.Second, 1014: time.Second, 3000: 200 * time.Millisecond, 4000: never, 4001: never, 4007: never, 4010: never,
		4014: time.Second, 4016: never, 4101: 0, 4112: 5 * time.Second, 4999: 200 * time.Millisecond,
	} {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t)
			sessions := n.serveSessions()
			c := n.client(home)
			if _, err := c.Connect(t.Context()); err != nil {
				t.Fatal(err)
			}
			n.wantAttempts(1)
			s := <-sessions
			pass(time.Minute)
			closed := time.Now()
			_ = s.Close(code, "")
			pass(time.Hour)
			if within == never {
				n.wantAttempts(0)
				if _, err := c.Connect(t.Context()); err != nil {
					t.Errorf("%d: a later call: %v", code, err)
				}
				n.wantAttempts(1)
				return
			}
			if back := n.wantAttempts(1)[0].at.Sub(closed); back > within {
				t.Errorf("%d: comes back after %v", code, back)
			}
			if got := c.State(); got != rpc.StateReady {
				t.Errorf("%d: %v", code, got)
			}
		})
	}
}

func TestAttemptsAreMadeAtRandomAndNeverMoreThanTenSecondsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		c := n.client(home)
		_, err := c.Connect(t.Context())
		wantError(t, err, rpc.CodeUnavailable)
		pass(10 * time.Minute)
		dials := n.attempts()
		if len(dials) < 60 || len(dials) > 300 {
			t.Fatalf("%d attempts in 10 minutes", len(dials))
		}
		gaps := make(map[time.Duration]bool)
		for i, d := range dials[1:] {
			gap := d.at.Sub(dials[i].at)
			gaps[gap] = true
			if gap > 10*time.Second {
				t.Errorf("%v between attempts", gap)
			}
		}
		if len(gaps) < len(dials)*9/10 {
			t.Errorf("only %d different gaps", len(gaps))
		}
		n.serve(home, echoServer())
		pass(10 * time.Second)
		if got := c.State(); got != rpc.StateReady {
			t.Errorf("%v though the server is there again", got)
		}
	})
}

func TestAServerThatEndsEachSessionAtOnceIsNotDialedInALoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.answer(home, func(dialed) (transport.Link, error) {
			d, a := n.link()
			p := &raw{t: t, link: a}
			p.hello()
			_ = a.Close(transport.CloseGoingAway, "")
			return d, nil
		})
		_, _ = n.client(home).Connect(t.Context())
		pass(10 * time.Minute)
		if got := len(n.attempts()); got < 60 || got > 300 {
			t.Errorf("%d attempts in 10 minutes", got)
		}
	})
}

func TestRefusedClientStaysDisconnectedUntilTheNextCall(t *testing.T) {
	for _, code := range []rpc.Code{rpc.CodePermissionDenied, rpc.CodeUnauthenticated, rpc.CodeUnimplemented} {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t)
			n.refuse(home, code)
			c := n.client(home)
			for range 2 {
				_, err := converse(t.Context(), c, unary, []string{""}, rpc.WithWaitForReady())
				wantError(t, err, code)
				pass(time.Hour)
				n.wantAttempts(1)
				if got := c.State(); got != rpc.StateTransientFailure {
					t.Error(got)
				}
			}
			n.serve(home, echoServer())
			if _, err := converse(t.Context(), c, unary, []string{""}); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestAServerThatTakesNoNewCallsKeepsTheOldOnes has a server that gives no
// notice. New calls wait for the next session, which the client dials at once.
func TestAServerThatTakesNoNewCallsKeepsTheOldOnes(t *testing.T) {
	const path = "wss://home.example:443/other"
	for address, next := range map[string]string{
		"":                             home,
		path:                           path,
		"wss://evil.example/rpc":       home,
		"ws://home.example/rpc":        home,
		"wss://home.example:444/rpc":   home,
		"wss://me@home.example/secret": home,
		"%":                            home,
	} {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t)
			links := n.serveRaw()
			n.serve(path, echoServer())
			c := n.client(home)
			call := start(func() ([]string, error) { return converse(t.Context(), c, unary, []string{"old"}) })
			p := <-links
			id := p.takeCall()
			n.wantAttempts(1)
			n.serve(home, echoServer())
			begin := time.Now()
			p.write((&frame.GoAway{LastStream: id, Delay: 1500, Reason: "deploy", Address: address}).Append(nil))
			synctest.Wait()

			if got := c.State(); got != rpc.StateConnecting {
				t.Errorf("%v between the sessions", got)
			}
			pass(time.Second)
			n.wantAttempts(0)
			got, err := converse(t.Context(), c, unary, []string{"new"})
			if err != nil || got[0] != "new" {
				t.Fatalf("%q: %v, %v", address, got, err)
			}
			d := n.wantAttempts(1)[0]
			if d.url != next || d.at.Sub(begin) != time.Second {
				t.Errorf("%q: dialed %s after %v", address, d.url, d.at.Sub(begin))
			}
			pass(5 * time.Second)
			p.write(dataFrame(id, 0, []byte("\x0a\x03old")), endFrame(id, nil))
			if out := <-call; out.err != nil || out.texts[0] != "old" {
				t.Errorf("%q: the old call: %v", address, out)
			}
			p.wantNotice() // it has moved
			p.wantGoAway() // it leaves
			var closed *transport.CloseError
			if _, err := p.read(); !errors.As(err, &closed) || closed.Code != transport.CloseNormal {
				t.Errorf("%q: the old link: %v", address, err)
			}
			n.wantAttempts(0)
		})
	}
}

func TestAGoAwayWithAStatusIsFollowedByTheCodeThatCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		links := n.serveRaw()
		c := n.client(home)
		if _, err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		p := <-links
		p.write((&frame.GoAway{Status: uint64(rpc.CodePermissionDenied), Reason: "banned"}).Append(nil))
		call := start(func() ([]string, error) { return converse(t.Context(), c, unary, []string{""}) })
		pass(time.Second)
		n.wantAttempts(1)
		_ = p.link.Close(4007, "")
		wantError(t, (<-call).err, rpc.CodePermissionDenied)
		pass(time.Hour)
		n.wantAttempts(0)
	})
}

func TestADialedConnectionThatHasEndedStaysEnded(t *testing.T) {
	url, srv := serve(t)
	conn := dial(t, url)
	_ = srv.Close()
	<-conn.Done()
	wantError(t, conn.Err(), rpc.CodeUnavailable)
	_, err := conn.Open(context.Background(), unary)
	wantError(t, err, rpc.CodeUnavailable)
}
