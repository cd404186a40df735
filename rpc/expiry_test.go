package rpc_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
	"github.com/parley-rpc/parley/transport/ws"
)

// goodFor is an authenticator of credentials that are valid for the time in the
// header X-Good-For.
func goodFor(r *http.Request) (context.Context, error) {
	d, err := time.ParseDuration(r.Header.Get("X-Good-For"))
	if err != nil {
		return nil, err
	}
	return rpc.WithExpiry(rpc.WithPrincipal(r.Context(), "alice"), time.Now().Add(d)), nil
}

// good is the request of a handshake whose credentials are valid for d.
func good(d time.Duration) *http.Request {
	return handshakeFrom("192.0.2.1:1", "X-Good-For: "+d.String())
}

func TestExpiredCredentialsEndTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := make(chan error, 2)
		srv := rpc.NewServer(rpc.WithAuthentication(goodFor))
		defer srv.Close()
		register(srv, unary, patientHandler(nil, told))
		p, _ := shake(t, srv, good(10*time.Minute), resumable)
		stop := p.stayAlive()
		p.write(openFrame(1, block(methodField(unary))), dataFrame(1, frame.FlagEnd, encoded(t, "question")))
		began := time.Now()
		if err := <-told; err != nil {
			t.Fatalf("told by cancellation: %v", err)
		}
		if early := 10*time.Minute - time.Since(began); early < 15*time.Second || early > 30*time.Second {
			t.Errorf("the notice comes %v before the end", early)
		}
		<-told // the handler's context has ended
		if lasted := time.Since(began); lasted != 10*time.Minute {
			t.Errorf("the connection ends after %v", lasted)
		}
		stop()
		p.wantNotice()
		if info := p.wantGoAway(); rpc.Code(info.Status) != rpc.CodeUnauthenticated {
			t.Errorf("GOAWAY %+v", info)
		}
		p.wantClose(transport.CloseRefusal + transport.CloseCode(rpc.CodeUnauthenticated))
	})
}

func TestALinkWithFreshCredentialsExtendsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := rpc.NewServer(rpc.WithAuthentication(goodFor))
		defer srv.Close()
		began := time.Now()
		p, serverHello := shake(t, srv, good(10*time.Minute), resumable)
		stop := p.stayAlive()
		pass(9 * time.Minute)
		next, answer := shake(t, srv, good(20*time.Minute), resumeHello(serverHello))
		stop()
		if answer.Answer != frame.SessionResumed {
			t.Fatalf("answer %d", answer.Answer)
		}
		stop = next.stayAlive()
		pass(15 * time.Minute)
		if n := srv.Connections(); n != 1 {
			t.Fatalf("%d connections %v after the beginning", n, time.Since(began))
		}
		pass(5 * time.Minute)
		if n := srv.Connections(); n != 0 {
			t.Errorf("%d connections %v after the beginning", n, time.Since(began))
		}
		stop()
	})
}

// TestCredentialsThatExpireWithoutALinkEndTheConnection: otherwise handlers
// would work for a user who is no longer authenticated.
func TestCredentialsThatExpireWithoutALinkEndTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := rpc.NewServer(rpc.WithAuthentication(goodFor))
		defer srv.Close()
		p, serverHello := shake(t, srv, good(10*time.Second), resumable)
		p.link.Cut()
		pass(11 * time.Second)
		if n := srv.Connections(); n != 0 {
			t.Errorf("%d connections", n)
		}
		p, answer := shake(t, srv, good(time.Minute), resumeHello(serverHello))
		if answer.Answer != frame.SessionUnknown {
			t.Errorf("answer %d", answer.Answer)
		}
		p.link.Cut()
	})
}

func TestCredentialsThatHaveExpiredAreRefused(t *testing.T) {
	srv := rpc.NewServer(rpc.WithAuthentication(goodFor))
	defer srv.Close()
	d, a := pipe.New(pipe.Config{})
	defer d.Cut()
	var no *ws.RefusalError
	if err := srv.StartHandshake(a, good(-time.Second)); !errors.As(err, &no) || no.Status != http.StatusUnauthorized {
		t.Errorf("%v", err)
	}
}

func TestTheZeroExpiryIsNever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := rpc.NewServer()
		defer srv.Close()
		r := handshakeFrom("192.0.2.1:1")
		p, _ := shake(t, srv, r.WithContext(rpc.WithExpiry(r.Context(), time.Time{})), resumable)
		stop := p.stayAlive()
		pass(24 * time.Hour)
		if n := srv.Connections(); n != 1 {
			t.Errorf("%d connections", n)
		}
		stop()
	})
}

// TestAClientWhoseCredentialsExpireFailsNoCall: it gets notice in time, and
// moves.
func TestAClientWhoseCredentialsExpireFailsNoCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		srv := rpc.NewServer(rpc.WithAuthentication(goodFor))
		registerAll(srv, echo)
		t.Cleanup(func() { _ = srv.Close() })
		var dials atomic.Int32
		n.answer(home, func(d dialed) (transport.Link, error) {
			dials.Add(1)
			dialer, acceptor := n.link()
			r := good(0)
			r.Header = d.header
			return dialer, srv.StartHandshake(acceptor, r)
		})
		c := n.client(home, rpc.WithCredentials(func(context.Context) (http.Header, error) {
			return http.Header{"X-Good-For": {"5m"}}, nil
		}))
		for range 60 {
			got, err := rpc.CallUnary[wrapperspb.StringValue, wrapperspb.StringValue](t.Context(), c, unary, text("on"))
			if err != nil || got.Value != "on" {
				t.Fatalf("%v, %v", got, err)
			}
			pass(30 * time.Second)
		}
		if k := dials.Load(); k < 6 || k > 8 {
			t.Errorf("%d connections in half an hour of credentials that are good for 5 min", k)
		}
	})
}

// TestCredentialsThatStayTheSameAreNotAskedForInALoop has credentials with
// which each new connection is about to expire too.
func TestCredentialsThatStayTheSameAreNotAskedForInALoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		ends := time.Now().Add(5 * time.Minute)
		srv := rpc.NewServer(rpc.WithAuthentication(func(r *http.Request) (context.Context, error) {
			return rpc.WithExpiry(rpc.WithPrincipal(r.Context(), "alice"), ends), nil
		}))
		registerAll(srv, echo)
		t.Cleanup(func() { _ = srv.Close() })
		var dials atomic.Int32
		n.answer(home, func(dialed) (transport.Link, error) {
			dials.Add(1)
			dialer, acceptor := n.link()
			if err := srv.StartHandshake(acceptor, handshakeFrom("192.0.2.1:1")); err != nil {
				return nil, rpc.Errorf(rpc.CodeUnauthenticated, "%w", err)
			}
			return dialer, nil
		})
		c := n.client(home)
		for time.Until(ends) > time.Second {
			if _, err := converse(t.Context(), c, unary, []string{"on"}); err != nil {
				t.Fatal(err)
			}
			pass(500 * time.Millisecond)
		}
		if k := dials.Load(); k > 12 {
			t.Errorf("%d connections", k)
		}
	})
}
