package grpctest_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	grpchealth "google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	grpcparley "github.com/parley-rpc/parley/ext/grpc"
	otelparley "github.com/parley-rpc/parley/ext/otel"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/rpc/health"
)

var propagator = propagation.TraceContext{}

// recorder records spans.
func recorder() (*tracetest.SpanRecorder, trace.TracerProvider) {
	spans := tracetest.NewSpanRecorder()
	return spans, sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
}

func telemetry(t *testing.T, tracers trace.TracerProvider) *otelparley.Telemetry {
	t.Helper()
	telemetry, err := otelparley.New(otelparley.WithTracerProvider(tracers), otelparley.WithPropagators(propagator))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = telemetry.Close() })
	return telemetry
}

func listen(t *testing.T, srv *rpc.Server) (url string) {
	t.Helper()
	web := httptest.NewServer(srv)
	t.Cleanup(func() {
		_ = srv.Close()
		web.Close()
	})
	return "ws" + strings.TrimPrefix(web.URL, "http")
}

// one returns the only span that has ended.
func one(t *testing.T, spans *tracetest.SpanRecorder) sdktrace.ReadOnlySpan {
	t.Helper()
	all := spans.Ended()
	if len(all) != 1 {
		t.Fatalf("%d spans have ended", len(all))
	}
	return all[0]
}

// wantOneTrace checks that the server's span is a child of the client's, and
// that both have the same name.
func wantOneTrace(t *testing.T, client, server sdktrace.ReadOnlySpan) {
	t.Helper()
	if server.Parent().SpanID() != client.SpanContext().SpanID() {
		t.Errorf("the parent of the server's span is %v, not %v", server.Parent().SpanID(), client.SpanContext().SpanID())
	}
	if client.Name() != "grpc.health.v1.Health/Check" || server.Name() != client.Name() {
		t.Errorf("the spans are called %q and %q", client.Name(), server.Name())
	}
	of, at := attribute.NewSet(client.Attributes()...), attribute.NewSet(server.Attributes()...)
	for _, key := range []attribute.Key{"rpc.method", "rpc.response.status_code"} {
		a, there := of.Value(key)
		if b, _ := at.Value(key); a != b || !there {
			t.Errorf("%s is %v and %v", key, a.AsInterface(), b.AsInterface())
		}
	}
}

func TestATraceGoesFromAStubOfGRPCToAParleyServer(t *testing.T) {
	clients, clientTracers := recorder()
	servers, serverTracers := recorder()
	srv := rpc.NewServer(telemetry(t, serverTracers).ServerOption())
	srv.Register(health.NewServer().Service())
	client := rpc.NewClient(listen(t, srv))
	defer client.Close()
	opts := []otelgrpc.Option{otelgrpc.WithTracerProvider(clientTracers), otelgrpc.WithPropagators(propagator)}
	//snippet:client
	conn := grpcparley.NewClientConn(client, grpcparley.WithStatsHandler(otelgrpc.NewClientHandler(opts...)))
	//snippet:end
	if _, err := healthpb.NewHealthClient(conn).Check(t.Context(), new(healthpb.HealthCheckRequest)); err != nil {
		t.Fatal(err)
	}
	wantOneTrace(t, one(t, clients), one(t, servers))
}

func TestATraceGoesFromAParleyClientToAServiceOfGRPC(t *testing.T) {
	clients, clientTracers := recorder()
	servers, serverTracers := recorder()
	srv := rpc.NewServer()
	opts := []otelgrpc.Option{otelgrpc.WithTracerProvider(serverTracers), otelgrpc.WithPropagators(propagator)}
	//snippet:server
	registrar := grpcparley.NewRegistrar(srv, grpcparley.WithStatsHandler(otelgrpc.NewServerHandler(opts...)))
	//snippet:end
	healthpb.RegisterHealthServer(registrar, grpchealth.NewServer())
	client := rpc.NewClient(listen(t, srv), telemetry(t, clientTracers).ClientOption())
	defer client.Close()
	if _, err := health.NewClient(client).Check(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	wantOneTrace(t, one(t, clients), one(t, servers))
}
