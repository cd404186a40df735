package otelparley_test

import (
	"context"
	"net/http"
	"testing"

	"go.opentelemetry.io/otel/trace"

	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// TestTheSpanOfTheHandshakeIsLinkedNotTheParent: HTTP middleware that traces
// leaves its span in the context of the request, from which handlers' contexts
// are derived.
func TestTheSpanOfTheHandshakeIsLinkedNotTheParent(t *testing.T) {
	var l *lab
	var handshake trace.SpanContext
	l = newLab(t, setup{server: []rpc.ServerOption{rpc.WithAuthentication(func(r *http.Request) (context.Context, error) {
		ctx := l.scope(r.Context(), "GET /rpc")
		handshake = trace.SpanContextFromContext(ctx)
		return rpc.WithPrincipal(ctx, "ada"), nil
	})}})
	stranger := rpc.NewClient("ws://" + l.host()) // propagates no trace
	defer stranger.Close()
	if _, err := pingv1parley.NewPingServiceClient(stranger).Ping(t.Context(), new(pingv1.PingRequest)); err != nil {
		t.Fatal(err)
	}
	s := <-l.ended
	if s.Parent().IsValid() || s.SpanContext().TraceID() == handshake.TraceID() {
		t.Errorf("the call is part of the trace of the handshake, under %v", s.Parent())
	}
	if links := s.Links(); len(links) != 1 || !links[0].SpanContext.Equal(handshake) {
		t.Errorf("the links are %v", links)
	}

	if _, err := l.ping.Ping(t.Context(), new(pingv1.PingRequest)); err != nil {
		t.Fatal(err)
	}
	if client, server := l.pair(); server.Parent().SpanID() != client.SpanContext().SpanID() {
		t.Errorf("the parent is %v, not the caller's span", server.Parent())
	}
}
