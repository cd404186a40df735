package otelparley

import (
	"errors"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley-rpc/parley/rpc"
)

// Option configures a Telemetry.
type Option func(*config)

type config struct {
	tracers    trace.TracerProvider
	meters     metric.MeterProvider
	propagator propagation.TextMapPropagator
	attributes []attribute.KeyValue
	known      map[string]bool // methods
	filter     func(*rpc.Call) bool
	public     bool
	eachSize   bool
	eachEvent  bool
}

func newConfig(opts []Option) (config, error) {
	c := config{
		tracers:    otel.GetTracerProvider(),
		meters:     otel.GetMeterProvider(),
		propagator: otel.GetTextMapPropagator(),
		known:      make(map[string]bool),
	}
	for _, o := range opts {
		o(&c)
	}
	switch {
	case c.tracers == nil:
		return c, errors.New("otelparley: WithTracerProvider: no TracerProvider")
	case c.meters == nil:
		return c, errors.New("otelparley: WithMeterProvider: no MeterProvider")
	case c.propagator == nil:
		return c, errors.New("otelparley: WithPropagators: no TextMapPropagator")
	}
	return c, nil
}

// WithTracerProvider sets the TracerProvider. The default is
// otel.GetTracerProvider.
func WithTracerProvider(p trace.TracerProvider) Option {
	return func(c *config) { c.tracers = p }
}

// WithMeterProvider sets the MeterProvider. The default is
// otel.GetMeterProvider.
func WithMeterProvider(p metric.MeterProvider) Option {
	return func(c *config) { c.meters = p }
}

// WithPropagators sets the propagator that writes trace contexts into the
// metadata of calls. The default is otel.GetTextMapPropagator, which writes
// nothing unless the program has set one.
func WithPropagators(p propagation.TextMapPropagator) Option {
	return func(c *config) { c.propagator = p }
}

// WithAttributes adds attributes to all spans and measurements. Each
// combination of values creates a time series.
func WithAttributes(attributes ...attribute.KeyValue) Option {
	return func(c *config) { c.attributes = append(c.attributes, attributes...) }
}

// WithKnownMethods names methods, as "package.Service/Method", that are
// reported by name although they are not registered at this end and the handler
// of Mux.HandleUnknown forwards them. All other unregistered methods are
// reported as "_OTHER", because a caller can invent any number of names.
func WithKnownMethods(paths ...string) Option {
	return func(c *config) {
		for _, path := range paths {
			c.known[path] = true
		}
	}
}

// WithFilter limits observation to calls for which f returns true. The others
// get no span, no measurement and no context in their metadata. f is called at
// both ends, before the call.
func WithFilter(f func(*rpc.Call) bool) Option {
	return func(c *config) { c.filter = f }
}

// WithPublicEndpoint makes handlers' spans start new traces, with a link to the
// caller's span: external callers do not control sampling.
func WithPublicEndpoint() Option {
	return func(c *config) { c.public = true }
}

// WithMessageSizes adds histograms of requests and responses per call, and of
// the bytes of each message, without compression, in the encoding of Protocol
// Buffers. Their names, rpc.client.request.size, rpc.client.requests_per_rpc
// and so on, are those of older semantic conventions; the present ones define
// none. It costs a traversal of each message.
func WithMessageSizes() Option {
	return func(c *config) { c.eachSize = true }
}

// WithMessageEvents adds an event to the span for each message sent or
// received. The SDK keeps 128 events per span by default.
func WithMessageEvents() Option {
	return func(c *config) { c.eachEvent = true }
}
