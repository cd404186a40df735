package rpc_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport/ws"
)

// wantRefusal checks that a dial was refused with an HTTP status and
// Retry-After.
func wantRefusal(t *testing.T, err error, status int) {
	t.Helper()
	wantError(t, err, rpc.CodeUnavailable)
	var failed *ws.HandshakeError
	if !errors.As(err, &failed) || failed.Status != status || failed.Header.Get("Retry-After") == "" {
		t.Fatalf("got %v, want HTTP %d", err, status)
	}
}

// dialAgain dials until the server has noticed that a connection has ended.
func dialAgain(t *testing.T, url string, opts ...rpc.ClientOption) {
	t.Helper()
	for {
		conn, err := rpc.Dial(t.Context(), url, opts...)
		if err == nil {
			t.Cleanup(func() { _ = conn.Close() })
			return
		}
		if t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
}

func TestOneConnectionTooManyIsRefusedAndTheOthersStay(t *testing.T) {
	url, _ := serve(t, rpc.WithLimits(rpc.Limits{MaxConnections: 2}), rpc.WithOrigins("https://page.test"))
	first, second := dial(t, url), dial(t, url)
	_, err := rpc.Dial(t.Context(), url)
	wantRefusal(t, err, http.StatusServiceUnavailable)
	if code, _ := dialAsPage(t, url, "https://page.test", ""); code != 4014 {
		t.Errorf("close code %d", code)
	}
	for _, conn := range []*rpc.Conn{first, second} {
		if _, err := conn.Ping(t.Context()); err != nil {
			t.Error(err)
		}
	}
	_ = first.Close()
	dialAgain(t, url)
}

func TestOneConnectionTooManyFromAnAddressIsRefusedAndOtherAddressesAreNot(t *testing.T) {
	from := func(addr string) rpc.ClientOption {
		return rpc.WithHTTPHeader(http.Header{"X-Forwarded-For": {addr}})
	}
	url, _ := serve(t, rpc.WithLimits(rpc.Limits{
		MaxConnectionsPerAddress: 1,
		Address:                  func(r *http.Request) string { return r.Header.Get("X-Forwarded-For") },
	}))
	first := dial(t, url, from("192.0.2.1"))
	_, err := rpc.Dial(t.Context(), url, from("192.0.2.1"))
	wantRefusal(t, err, http.StatusTooManyRequests)
	dial(t, url, from("192.0.2.2"))
	if _, err := first.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	_ = first.Close()
	dialAgain(t, url, from("192.0.2.1"))
}

func TestAddressOfAClientIsThatOfItsSocketOrItsNetwork(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:1234":          "192.0.2.1",
		"[::ffff:192.0.2.1]:1234": "192.0.2.1",
		"[2001:db8:1:2:3::4]:99":  "2001:db8:1:2::/64",
		"[fe80::1%eth0]:99":       "fe80::/64",
		"@":                       "@",
	} {
		if got := rpc.SocketAddress(&http.Request{RemoteAddr: remote}); got != want {
			t.Errorf("%s: %s, want %s", remote, got, want)
		}
	}
}

func TestHandshakesBeyondTheirRateWaitAndThenAreRefused(t *testing.T) {
	url, _ := serve(t, rpc.WithLimits(rpc.Limits{MaxHandshakesPerSecond: 1}))
	first := dial(t, url)
	const more = 20
	dials := make(chan error, more)
	for range more {
		go func() {
			conn, err := rpc.Dial(t.Context(), url)
			if err == nil {
				_ = conn.Close()
			}
			dials <- err
		}()
	}
	served := 0
	for range more {
		if err := <-dials; err == nil {
			served++
		} else {
			wantRefusal(t, err, http.StatusServiceUnavailable)
		}
	}
	if served == 0 || served == more {
		t.Errorf("%d of %d were served, want one that has waited for a second", served, more)
	}
	if _, err := first.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestMalformedLimitsAreRefusedAtConstruction(t *testing.T) {
	for _, l := range []rpc.Limits{{MaxConnections: -1}, {MaxConnectionsPerAddress: -1}, {MaxHandshakesPerSecond: -1}, {MaxHandshakeHeader: -1}, {MaxWindowMemory: -1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v was taken", l)
				}
			}()
			rpc.NewServer(rpc.WithLimits(l))
		}()
	}
}
