package otelparley_test

import (
	"context"
	"errors"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	otelparley "github.com/parley-rpc/parley/ext/otel"
	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// reflective calls its caller back.
type reflective struct {
	pingv1parley.UnimplementedPingServiceServer
	baggage chan string
}

func (r reflective) Ping(ctx context.Context, req *pingv1.PingRequest) (*pingv1.PingResponse, error) {
	r.baggage <- baggage.FromContext(ctx).Member("tenant").Value()
	return pingv1parley.NewPingServiceClient(rpc.FromContext(ctx).Conn).Ping(ctx, req)
}

func TestATraceGoesThroughServersAndBackToTheClient(t *testing.T) {
	services, tenants := rpc.NewMux(), make(chan string, 1)
	pingv1parley.RegisterPingServiceServer(services, panicker{})
	l := newLab(t, setup{
		services: func(srv *rpc.Server) { pingv1parley.RegisterPingServiceServer(srv, reflective{baggage: tenants}) },
		client:   []rpc.ClientOption{rpc.WithServices(services)},
	})
	tenant, err := baggage.NewMember("tenant", "acme")
	if err != nil {
		t.Fatal(err)
	}
	bag, err := baggage.New(tenant)
	if err != nil {
		t.Fatal(err)
	}
	ctx := baggage.ContextWithBaggage(l.scope(t.Context(), "test"), bag)
	if _, err := l.ping.Ping(ctx, new(pingv1.PingRequest)); !errors.Is(err, rpc.CodeInternal) {
		t.Fatal(err)
	}
	if got := <-tenants; got != "acme" {
		t.Errorf("the baggage has tenant %q", got)
	}
	// They end from the inside out, and the two ends of a call in any order.
	parents := make(map[trace.SpanID]trace.SpanID)
	kind := make(map[trace.SpanID]trace.SpanKind)
	addressed := 0
	for range 4 {
		s := <-l.ended
		if at := values(s); at.HasValue("server.address") {
			addressed++
		}
		parents[s.SpanContext().SpanID()], kind[s.SpanContext().SpanID()] = s.Parent().SpanID(), s.SpanKind()
		if s.SpanContext().TraceID() != trace.SpanContextFromContext(ctx).TraceID() {
			t.Error("a span is in another trace")
		}
	}
	if addressed != 2 { // the client was not dialed
		t.Errorf("%d spans have the address of a server", addressed)
	}
	at := make(map[trace.SpanID]trace.SpanID) // the other way
	for span, parent := range parents {
		at[parent] = span
	}
	span := trace.SpanContextFromContext(ctx).SpanID()
	for _, want := range []trace.SpanKind{trace.SpanKindClient, trace.SpanKindServer, trace.SpanKindClient, trace.SpanKindServer} {
		if span = at[span]; kind[span] != want {
			t.Fatalf("in the chain of spans is %v, want %v", kind[span], want)
		}
	}
}

func TestAPublicEndpointStartsItsOwnTraces(t *testing.T) {
	l := newLab(t, setup{options: []otelparley.Option{otelparley.WithPublicEndpoint()}})
	if _, err := l.ping.Ping(t.Context(), new(pingv1.PingRequest)); err != nil {
		t.Fatal(err)
	}
	client, server := l.pair()
	if server.Parent().IsValid() || server.SpanContext().TraceID() == client.SpanContext().TraceID() {
		t.Error("the server's span belongs to the client's trace")
	}
	if links := server.Links(); len(links) != 1 || links[0].SpanContext.SpanID() != client.SpanContext().SpanID() {
		t.Errorf("links %v", links)
	}
}

// A handler may forward the metadata of its caller, including that of the
// trace.
func TestMetadataThatIsPassedOnDoesNotHideTheCaller(t *testing.T) {
	l := newLab(t, setup{})
	_, err := l.ping.Ping(t.Context(), new(pingv1.PingRequest),
		rpc.WithMetadata("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
	if err != nil {
		t.Fatal(err)
	}
	client, server := l.pair()
	if server.Parent().SpanID() != client.SpanContext().SpanID() {
		t.Errorf("the parent is %v", server.Parent())
	}
}

// clumsy is a propagator with keys and values that metadata cannot carry.
type clumsy struct{ propagation.TextMapPropagator }

func (clumsy) Inject(_ context.Context, c propagation.TextMapCarrier) { c.Set("Parley-Key", "\n") }

func TestWhatMetadataCannotCarryIsLeftOut(t *testing.T) {
	told := make(chan error, 1)
	before := otel.GetErrorHandler()
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { told <- err }))
	defer otel.SetErrorHandler(before)
	l := newLab(t, setup{options: []otelparley.Option{otelparley.WithPropagators(clumsy{propagation.TraceContext{}})}})
	if _, err := l.ping.Ping(t.Context(), new(pingv1.PingRequest)); err != nil {
		t.Fatal(err)
	}
	if err := <-told; !errors.Is(err, rpc.CodeInvalidArgument) {
		t.Errorf("the error handler got %v", err)
	}
}
