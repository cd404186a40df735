package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport/ws"
)

// TestFloodWithoutCredentialsRefusesNoClientThatHasSome: one host floods the
// server at many times its rate. Clients with credentials are at the same
// address and elsewhere.
func TestFloodWithoutCredentialsRefusesNoClientThatHasSome(t *testing.T) {
	const rate = 100
	url, _ := serve(t, rpc.WithAuthentication(byToken), rpc.WithLogger(slog.New(slog.DiscardHandler)), rpc.WithLimits(rpc.Limits{MaxHandshakesPerSecond: rate}))
	ctx, cancel := context.WithCancel(t.Context())
	var flooding sync.WaitGroup
	refused := make(chan struct{})
	for range 64 { // at once: more than the rate allows within a second, at a fourth of a turn each
		flooding.Go(func() {
			for ctx.Err() == nil {
				if _, err := rpc.Dial(ctx, url); err == nil {
					t.Error("let in without credentials")
				}
				select {
				case refused <- struct{}{}:
				case <-ctx.Done():
				}
			}
		})
	}
	for range rate {
		<-refused
	}
	flooded := make(chan struct{})
	go func() { // the flood goes on
		defer close(flooded)
		for {
			select {
			case <-refused:
			case <-ctx.Done():
				return
			}
		}
	}()
	var honest sync.WaitGroup
	for i := range 30 {
		honest.Go(func() {
			from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+i%2))}}
			conn, err := rpc.Dial(t.Context(), url, rpc.WithNetDial(from.DialContext),
				rpc.WithHTTPHeader(http.Header{"Authorization": {fmt.Sprintf("Bearer user%d-token", i)}}))
			if err != nil {
				t.Errorf("client %d: %v", i, err)
				return
			}
			_ = conn.Close()
		})
	}
	honest.Wait()
	cancel()
	<-flooded
	flooding.Wait()
}

func TestHandshakeWithMoreHeaderThanIsKeptIsRefused(t *testing.T) {
	url, srv := serve(t, rpc.WithLimits(rpc.Limits{MaxHandshakeHeader: 1000}))
	ok := dial(t, url, rpc.WithHTTPHeader(http.Header{"X-Note": {strings.Repeat("x", 500)}}))
	for name, h := range map[string]http.Header{
		"long":     {"X-Note": {strings.Repeat("x", 1000)}},
		"repeated": {"X": make([]string, 300)},
		"many":     {"X-1": {strings.Repeat("x", 400)}, "X-2": {strings.Repeat("x", 400)}, "X-3": {strings.Repeat("x", 400)}},
	} {
		_, err := rpc.Dial(t.Context(), url, rpc.WithHTTPHeader(h))
		var failed *ws.HandshakeError
		if !errors.As(err, &failed) || failed.Status != http.StatusRequestHeaderFieldsTooLarge || failed.Header.Get("Retry-After") != "" {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := ok.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if s := srv.Stats(); s.RefusedHandshakes != 3 || s.Links != 1 || s.Connections != 1 {
		t.Errorf("%+v", s)
	}
}

func TestRefusalsDoNotFillTheLogAndAreCounted(t *testing.T) {
	var log journal
	url, srv := serve(t, rpc.WithAuthentication(byToken), rpc.WithLogger(log.logger()))
	const refusals = 200
	for range refusals {
		if _, err := rpc.Dial(t.Context(), url); err == nil {
			t.Fatal("let in")
		}
	}
	loud, suppressed := 0, 0.0
	for _, line := range log.lines(t) {
		loud++
		n, _ := line["suppressed"].(float64)
		suppressed += n
	}
	if got := srv.Stats().RefusedHandshakes; got != refusals {
		t.Errorf("%d refusals are counted, want %d", got, refusals)
	}
	if loud == 0 || loud > 30 || float64(loud)+suppressed > refusals { // one a second
		t.Errorf("%d lines and %v suppressed", loud, suppressed)
	}
}
