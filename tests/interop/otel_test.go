package main

import (
	"context"
	"testing"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	grpcparley "github.com/parley-rpc/parley/ext/grpc"
	"github.com/parley-rpc/parley/rpc"
)

// spans waits for the end of a span of each side.
type spans struct {
	client, server chan sdktrace.ReadOnlySpan
}

func (s spans) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

func (s spans) OnEnd(span sdktrace.ReadOnlySpan) {
	if span.SpanKind() == trace.SpanKindClient {
		s.client <- span
	} else {
		s.server <- span
	}
}

func (spans) Shutdown(context.Context) error   { return nil }
func (spans) ForceFlush(context.Context) error { return nil }

// The instrumentation of grpc works the same with parley in its place.
func TestInstrumentationOfGRPCTracesCallsAcrossBothEnds(t *testing.T) {
	ended := spans{make(chan sdktrace.ReadOnlySpan, 2), make(chan sdktrace.ReadOnlySpan, 2)}
	opts := []otelgrpc.Option{
		otelgrpc.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(ended))),
		otelgrpc.WithPropagators(propagation.TraceContext{}),
	}
	err := withServer(func(srv *rpc.Server) error {
		registrar := grpcparley.NewRegistrar(srv, grpcparley.WithStatsHandler(otelgrpc.NewServerHandler(opts...)))
		testgrpc.RegisterTestServiceServer(registrar, interop.NewTestServer())
		return nil
	}, func(url string) error {
		cc := grpcparley.WithStatsHandler(otelgrpc.NewClientHandler(opts...))
		return withStubs(t.Context(), url, cases[1], cc)
	})
	if err != nil {
		t.Fatal(err)
	}
	client, server := <-ended.client, <-ended.server
	const name = "grpc.testing.TestService/UnaryCall"
	if client.Name() != name || server.Name() != name ||
		server.SpanContext().TraceID() != client.SpanContext().TraceID() || server.Parent().SpanID() != client.SpanContext().SpanID() {
		t.Errorf("got\n%+v and\n%+v", tracetest.SpanStubFromReadOnlySpan(client), tracetest.SpanStubFromReadOnlySpan(server))
	}
}
