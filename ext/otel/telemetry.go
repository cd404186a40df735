package otelparley

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley-rpc/parley/rpc"
)

// scope is the name of the instrumentation scope.
const scope = "github.com/parley-rpc/parley/ext/otel"

// Telemetry observes the calls and connections of the servers and clients that
// have its options.
type Telemetry struct {
	caller, callee *role
	server, client *side
	clusters       clusters
	registration   metric.Registration
}

// New returns a Telemetry. It fails if an option is invalid or the
// MeterProvider rejects an instrument.
func New(opts ...Option) (*Telemetry, error) {
	cfg, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	tracer := cfg.tracers.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL))
	meter := cfg.meters.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL))
	caller, err := newCaller(&cfg, tracer, meter)
	callee, calleeErr := newCallee(&cfg, tracer, meter)
	instruments, connErr := newConnectionInstruments(meter)
	if err := errors.Join(err, calleeErr, connErr); err != nil {
		return nil, err
	}
	t := &Telemetry{
		caller: caller, callee: callee,
		server: newSide("server", &cfg, instruments),
		client: newSide("client", &cfg, instruments),

		clusters: clusters{meter: meter, attributes: cfg.attributes},
	}
	if t.registration, err = meter.RegisterCallback(t.report, instruments.observed()...); err != nil {
		return nil, err
	}
	return t, nil
}

// report observes the connections whenever the meter collects.
func (t *Telemetry) report(_ context.Context, o metric.Observer) error {
	t.server.report(o)
	t.client.report(o)
	return nil
}

// Close stops the observation of connections and clusters by the MeterProvider.
// Measurements that calls and connections record themselves go on.
func (t *Telemetry) Close() error {
	return errors.Join(t.registration.Unregister(), t.clusters.close())
}

// ServerOption returns the option for a server: it observes calls in both
// directions, and connections.
func (t *Telemetry) ServerOption() rpc.ServerOption {
	return rpc.Options(t.server.option(),
		rpc.WithHandlerInterceptors(t.callee.observer(dialed)), rpc.WithCallInterceptors(t.caller.observer(nowhere)))
}

// ClientOption returns the option for a client: it observes calls in both
// directions, and connections.
func (t *Telemetry) ClientOption() rpc.ClientOption {
	return rpc.Options(t.client.option(),
		rpc.WithCallInterceptors(t.caller.observer(dialed)), rpc.WithHandlerInterceptors(t.callee.observer(nowhere)))
}
