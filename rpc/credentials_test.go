package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// numbered returns credentials with a number that counts them.
func numbered(n *int) rpc.ClientOption {
	return rpc.WithCredentials(func(context.Context) (http.Header, error) {
		*n++
		return http.Header{"Authorization": {fmt.Sprint("Bearer ", *n)}}, nil
	})
}

func TestEachDialHasFreshCredentialsAlsoToResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, asked := newNetwork(t), 0
		n.serve(home, echoServer())
		c := n.client(home, numbered(&asked), rpc.WithHTTPHeader(http.Header{"X-App": {"a"}, "Authorization": {"none"}}))
		s, err := c.Open(t.Context(), bidi)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			if err := s.Send(text("on")); err != nil {
				t.Fatal(err)
			}
			if _, err := recvOne(s); err != nil {
				t.Fatal(err)
			}
			d := n.wantAttempts(1)[0]
			if got := d.header.Get("Authorization"); got != fmt.Sprint("Bearer ", i+1) || d.header.Get("X-App") != "a" {
				t.Errorf("dial %d has %v", i, d.header)
			}
			n.cut()
			pass(time.Second)
		}
		_ = s.Close()
	})
}

func TestAnErrorOfCredentialsFailsThatAttempt(t *testing.T) {
	plain := errors.New("token service is down")
	for _, tt := range []struct {
		err  error
		code rpc.Code
		more bool
	}{
		{plain, rpc.CodeUnavailable, true},
		{rpc.Errorf(rpc.CodePermissionDenied, "log in first"), rpc.CodePermissionDenied, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			n, asked, ask := newNetwork(t), 0, tt.err
			n.serve(home, echoServer())
			c := n.client(home, rpc.WithCredentials(func(context.Context) (http.Header, error) {
				asked++
				return nil, ask
			}))
			_, err := converse(t.Context(), c, unary, []string{""})
			wantError(t, err, tt.code)
			if !errors.Is(err, tt.err) {
				t.Errorf("%v does not lead to %v", err, tt.err)
			}
			n.wantAttempts(0)
			pass(time.Minute)
			if (asked > 1) != tt.more {
				t.Errorf("asked %d times", asked)
			}
			ask = nil
			if _, err := converse(t.Context(), c, unary, []string{""}, rpc.WithWaitForReady()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCredentialsAreAskedForUntilTheHandshakesTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		c := n.client(home, rpc.WithHandshakeTimeout(3*time.Second), rpc.WithCredentials(func(ctx context.Context) (http.Header, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}))
		begin := time.Now()
		_, err := c.Connect(t.Context())
		wantError(t, err, rpc.CodeUnavailable)
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("after %v", took)
		}
	})
}

// TestUnauthenticatedHasTheNextAttemptAskAgain cuts a call's link. The server
// refuses the first credentials, or all, that try to resume it.
func TestUnauthenticatedHasTheNextAttemptAskAgain(t *testing.T) {
	for _, good := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			n, asked := newNetwork(t), 0
			srv := echoServer()
			n.serve(home, srv)
			c := n.client(home, numbered(&asked))
			s, err := c.Open(t.Context(), bidi)
			if err != nil {
				t.Fatal(err)
			}
			pass(time.Second)
			n.answer(home, func(d dialed) (transport.Link, error) {
				if good && d.header.Get("Authorization") == "Bearer 3" {
					l, a := n.link()
					_, err := srv.StartLink(a)
					return l, err
				}
				return nil, rpc.Errorf(rpc.CodeUnauthenticated, "expired")
			})
			n.cut()
			if err := s.Send(text("on")); err != nil {
				t.Fatal(err)
			}
			got, err := recvOne(s)
			switch {
			case good && (err != nil || got != "on"):
				t.Errorf("%q, %v", got, err)
			case !good:
				wantError(t, err, rpc.CodeUnauthenticated)
			}
			_ = s.Close()
			if asked != 3 {
				t.Errorf("asked %d times", asked)
			}
		})
	}
}

func TestTheHandshakeCarriesTheCredentials(t *testing.T) {
	got := make(chan []string, 1)
	srv := echoServer()
	url := serveHTTP(t, srv, func(r *http.Request) { got <- r.Header["Authorization"] })
	asked := 0
	c := rpc.NewClient(url, numbered(&asked))
	defer c.Close()
	if _, err := converse(t.Context(), c, unary, []string{""}); err != nil {
		t.Fatal(err)
	}
	if h := <-got; !slices.Equal(h, []string{"Bearer 1"}) {
		t.Errorf("got %q", h)
	}
}
