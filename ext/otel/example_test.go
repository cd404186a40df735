package otelparley_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"strings"

	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/parley-rpc/parley/examples/pinger"
	otelparley "github.com/parley-rpc/parley/ext/otel"
	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// observe makes a Telemetry that writes spans and metrics to out, as JSON.
// flush writes what is not written yet when the program ends.
func observe(out io.Writer) (telemetry *otelparley.Telemetry, flush func(context.Context) error, err error) {
	//snippet:observe
	spans, err := stdouttrace.New(stdouttrace.WithWriter(out)) // or an exporter for your collector
	if err != nil {
		return nil, nil, err
	}
	metrics, err := stdoutmetric.New(stdoutmetric.WithWriter(out))
	if err != nil {
		return nil, nil, err
	}
	tracers := trace.NewTracerProvider(trace.WithBatcher(spans))
	meters := metric.NewMeterProvider(metric.WithReader(metric.NewPeriodicReader(metrics)))
	telemetry, err = otelparley.New(
		otelparley.WithTracerProvider(tracers),
		otelparley.WithMeterProvider(meters),
		otelparley.WithPropagators(propagation.TraceContext{}),
	)
	//snippet:end
	flush = func(ctx context.Context) error { return errors.Join(tracers.Shutdown(ctx), meters.Shutdown(ctx)) }
	return telemetry, flush, err
}

// A call is observed at both ends. In your own programs these are two
// processes, and out is os.Stdout, or there are other exporters.
func Example() {
	out := new(bytes.Buffer)
	telemetry, flush, err := observe(out)
	if err != nil {
		log.Fatal(err)
	}
	//snippet:options
	srv := rpc.NewServer(telemetry.ServerOption())
	//snippet:end
	pingv1parley.RegisterPingServiceServer(srv, pinger.Service{})
	web := httptest.NewServer(srv)
	url := "ws" + strings.TrimPrefix(web.URL, "http")
	//snippet:options-client
	client := rpc.NewClient(url, telemetry.ClientOption())
	//snippet:end
	ping := pingv1parley.NewPingServiceClient(client)
	_, err = ping.Ping(context.Background(), &pingv1.PingRequest{FailCode: uint32(rpc.CodeNotFound)})
	fmt.Println(err)
	_ = client.Close()
	_ = srv.Close()
	web.Close()
	if err := flush(context.Background()); err != nil {
		log.Fatal(err)
	}
	if err := show(out); err != nil {
		log.Fatal(err)
	}
	// Output:
	// NOT_FOUND: failing as asked
	// span server parley.ping.v1.PingService/Ping, parent is remote: true, status Unset
	// span client parley.ping.v1.PingService/Ping, parent is remote: false, status Error
	// metric rpc.client.call.duration
	// metric rpc.server.call.duration
}

// show prints the part of the exporters' output that is the same every time.
func show(written io.Reader) error {
	for in := json.NewDecoder(written); ; {
		var record struct {
			Name     string
			SpanKind oteltrace.SpanKind
			Parent   struct{ Remote bool }
			Status   struct{ Code string }

			ScopeMetrics []struct{ Metrics []struct{ Name string } }
		}
		switch err := in.Decode(&record); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case record.Name != "":
			fmt.Printf("span %v %s, parent is remote: %t, status %s\n", record.SpanKind, record.Name, record.Parent.Remote, record.Status.Code)
		}
		for _, scope := range record.ScopeMetrics {
			for _, m := range scope.Metrics {
				if strings.HasPrefix(m.Name, "rpc.") {
					fmt.Println("metric", m.Name)
				}
			}
		}
	}
}
