package otelparley_test

import (
	"context"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley-rpc/parley/examples/pinger"
	otelparley "github.com/parley-rpc/parley/ext/otel"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// lab is a server and a client with a Telemetry.
type lab struct {
	t         *testing.T
	telemetry *otelparley.Telemetry
	reader    *metric.ManualReader
	ended     chan sdktrace.ReadOnlySpan
	begun     chan *rpc.Conn // of either end, once they are observed
	srv       *rpc.Server
	client    *rpc.Client
	ping      pingv1parley.PingServiceClient
	listener  *listener
}

// OnEnd and the next methods make it a SpanProcessor.
func (l *lab) OnEnd(s sdktrace.ReadOnlySpan)                   { l.ended <- s }
func (l *lab) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (l *lab) Shutdown(context.Context) error                  { return nil }
func (l *lab) ForceFlush(context.Context) error                { return nil }
func (l *lab) tracers() trace.TracerProvider {
	return sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(l))
}
func (l *lab) host() string { return l.listener.Addr().String() }
func (l *lab) scope(ctx context.Context, name string) context.Context {
	ctx, span := l.tracers().Tracer("test").Start(ctx, name)
	l.t.Cleanup(func() { span.End() })
	return ctx
}

// setup is what a test changes.
type setup struct {
	options  []otelparley.Option
	server   []rpc.ServerOption
	client   []rpc.ClientOption
	services func(*rpc.Server) // in place of the PingService of the examples
}

var both = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})

func newLab(t *testing.T, s setup) *lab {
	t.Helper()
	l := &lab{t: t, reader: metric.NewManualReader(), ended: make(chan sdktrace.ReadOnlySpan, 100), begun: make(chan *rpc.Conn, 100)}
	var err error
	l.telemetry, err = otelparley.New(append([]otelparley.Option{
		otelparley.WithTracerProvider(l.tracers()),
		otelparley.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(l.reader))),
		otelparley.WithPropagators(both),
	}, s.options...)...)
	if err != nil {
		t.Fatal(err)
	}
	// Hooks are called in the order of the options: those of the telemetry
	// first.
	common := rpc.Options(rpc.WithLogger(slog.New(slog.DiscardHandler)), rpc.OnConnect(func(c *rpc.Conn) { l.begun <- c }))
	l.srv = rpc.NewServer(append(s.server, l.telemetry.ServerOption(), common)...)
	if s.services == nil {
		s.services = func(srv *rpc.Server) { pingv1parley.RegisterPingServiceServer(srv, pinger.Service{}) }
	}
	s.services(l.srv)
	web := httptest.NewUnstartedServer(l.srv)
	l.listener = &listener{Listener: web.Listener}
	web.Listener = l.listener
	web.Start()
	l.client = rpc.NewClient("ws"+strings.TrimPrefix(web.URL, "http"), append(s.client, l.telemetry.ClientOption(), common)...)
	l.ping = pingv1parley.NewPingServiceClient(l.client)
	t.Cleanup(func() {
		_ = l.client.Close()
		_ = l.srv.Close()
		web.Close()
		if err := l.telemetry.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// listener keeps its connections, so that a test can cut them.
type listener struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns = append(l.conns, c)
	return c, err
}

func (l *listener) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		_ = c.Close()
	}
	l.conns = nil
}

// pair waits until both ends of a call have ended and returns their spans.
func (l *lab) pair() (client, server sdktrace.ReadOnlySpan) {
	l.t.Helper()
	for _, s := range []sdktrace.ReadOnlySpan{<-l.ended, <-l.ended} {
		switch s.SpanKind() {
		case trace.SpanKindClient:
			client = s
		case trace.SpanKindServer:
			server = s
		}
	}
	if client == nil || server == nil {
		l.t.Fatal("there are no spans of both ends")
	}
	return client, server
}

// values returns the attributes of a span.
func values(s sdktrace.ReadOnlySpan) attribute.Set { return attribute.NewSet(s.Attributes()...) }

// want fails the test unless a set has these attributes.
func want(t *testing.T, got attribute.Set, wanted ...attribute.KeyValue) {
	t.Helper()
	for _, kv := range wanted {
		if v, _ := got.Value(kv.Key); v != kv.Value {
			t.Errorf("%s is %v, want %v", kv.Key, v.AsInterface(), kv.Value.AsInterface())
		}
	}
}

// lacks fails the test if a set has one of these attributes.
func lacks(t *testing.T, got attribute.Set, keys ...attribute.Key) {
	t.Helper()
	for _, key := range keys {
		if v, ok := got.Value(key); ok {
			t.Errorf("%s is %v, and should not be there", key, v.AsInterface())
		}
	}
}

// collect returns the metrics by name.
func (l *lab) collect() map[string]metricdata.Aggregation {
	l.t.Helper()
	var all metricdata.ResourceMetrics
	if err := l.reader.Collect(l.t.Context(), &all); err != nil {
		l.t.Fatal(err)
	}
	found := make(map[string]metricdata.Aggregation)
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			found[m.Name] = m.Data
		}
	}
	return found
}

// sum returns the value of a metric with just these attributes.
func (l *lab) sum(name string, attributes ...attribute.KeyValue) int64 {
	l.t.Helper()
	data, ok := l.collect()[name].(metricdata.Sum[int64])
	if !ok {
		l.t.Fatalf("there is no sum %s", name)
	}
	set := attribute.NewSet(attributes...)
	for _, p := range data.DataPoints {
		if p.Attributes.Equals(&set) {
			return p.Value
		}
	}
	l.t.Fatalf("%s has no %v: %v", name, set.MarshalLog(), data.DataPoints)
	return 0
}

// histogram returns the data of a histogram with just these attributes.
func histogram[N int64 | float64](l *lab, name string, attributes ...attribute.KeyValue) metricdata.HistogramDataPoint[N] {
	l.t.Helper()
	data, ok := l.collect()[name].(metricdata.Histogram[N])
	if !ok {
		l.t.Fatalf("there is no histogram %s", name)
	}
	set := attribute.NewSet(attributes...)
	for _, p := range data.DataPoints {
		if p.Attributes.Equals(&set) {
			return p
		}
	}
	l.t.Fatalf("%s has no %v: %v", name, set.MarshalLog(), data.DataPoints)
	panic("unreachable")
}
