package otelparley_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/parley-rpc/parley/examples/pinger"
	otelparley "github.com/parley-rpc/parley/ext/otel"
	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// BenchmarkUnary makes calls one after another: without a Telemetry, with one
// that measures, and with one that also makes spans and discards them.
func BenchmarkUnary(b *testing.B) {
	meters := otelparley.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(metric.NewManualReader())))
	tracers := otelparley.WithTracerProvider(sdktrace.NewTracerProvider())
	for name, opts := range map[string][]otelparley.Option{
		"none": nil, "metrics": {meters}, "metrics and traces": {meters, tracers, otelparley.WithPropagators(both)},
	} {
		b.Run(name, func(b *testing.B) {
			var server []rpc.ServerOption
			var clients []rpc.ClientOption
			if opts != nil {
				telemetry, err := otelparley.New(opts...)
				if err != nil {
					b.Fatal(err)
				}
				defer telemetry.Close()
				server, clients = append(server, telemetry.ServerOption()), append(clients, telemetry.ClientOption())
			}
			srv := rpc.NewServer(server...)
			pingv1parley.RegisterPingServiceServer(srv, pinger.Service{})
			web := httptest.NewServer(srv)
			defer web.Close()
			defer srv.Close()
			client := rpc.NewClient("ws"+strings.TrimPrefix(web.URL, "http"), clients...)
			defer client.Close()
			ping := pingv1parley.NewPingServiceClient(client)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ping.Ping(b.Context(), new(pingv1.PingRequest)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
