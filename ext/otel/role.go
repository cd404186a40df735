package otelparley

import (
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/semconv/v1.43.0/rpcconv"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley-rpc/parley/rpc"
)

// role is one of the two roles of a call: caller or callee.
type role struct {
	*config
	kind    trace.SpanKind
	tracer  trace.Tracer
	isError func(rpc.Code) bool

	duration metric.Float64Histogram
	retries  metric.Int64Counter // of callers
	sizes    *sizes              // nil: not wanted

	methods  cache[methodName, *method]
	outcomes cache[outcome, []metric.RecordOption]
}

func newCaller(cfg *config, tracer trace.Tracer, meter metric.Meter) (*role, error) {
	duration, err := rpcconv.NewClientCallDuration(meter)
	retries, retriesErr := meter.Int64Counter("parley.client.retries",
		metric.WithUnit("{attempt}"), metric.WithDescription("Attempts at calls beyond the first."))
	sizes, sizesErr := newSizes(cfg, meter, "rpc.client.")
	return &role{
		config: cfg, kind: trace.SpanKindClient, tracer: tracer, isError: anyError,
		duration: duration.Inst(), retries: retries, sizes: sizes,
	}, errors.Join(err, retriesErr, sizesErr)
}

func newCallee(cfg *config, tracer trace.Tracer, meter metric.Meter) (*role, error) {
	duration, err := rpcconv.NewServerCallDuration(meter)
	sizes, sizesErr := newSizes(cfg, meter, "rpc.server.")
	return &role{
		config: cfg, kind: trace.SpanKindServer, tracer: tracer, isError: ownFault,
		duration: duration.Inst(), sizes: sizes,
	}, errors.Join(err, sizesErr)
}

// anyError counts every status but OK as an error, for the caller.
func anyError(c rpc.Code) bool { return c != rpc.CodeOK }

// ownFault counts a status as an error if the callee has caused it, not the
// caller.
func ownFault(c rpc.Code) bool {
	switch c {
	case rpc.CodeUnknown, rpc.CodeDeadlineExceeded, rpc.CodeUnimplemented,
		rpc.CodeInternal, rpc.CodeUnavailable, rpc.CodeDataLoss:
		return true
	}
	return false
}

// sizes are the histograms of messages.
type sizes struct {
	request, response   metric.Int64Histogram // bytes of a message
	requests, responses metric.Int64Histogram // messages of a call
}

func newSizes(cfg *config, meter metric.Meter, prefix string) (*sizes, error) {
	if !cfg.eachSize {
		return nil, nil
	}
	s := new(sizes)
	var errs []error
	for _, h := range []struct {
		at                *metric.Int64Histogram
		name, unit, about string
	}{
		{&s.request, "request.size", "By", "Size of a request message, without compression."},
		{&s.response, "response.size", "By", "Size of a response message, without compression."},
		{&s.requests, "requests_per_rpc", "{count}", "Request messages of a call."},
		{&s.responses, "responses_per_rpc", "{count}", "Response messages of a call."},
	} {
		var err error
		*h.at, err = meter.Int64Histogram(prefix+h.name, metric.WithUnit(h.unit), metric.WithDescription(h.about))
		errs = append(errs, err)
	}
	return s, errors.Join(errs...)
}

// set returns attributes as an option of a measurement.
func set(attributes []attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attributes...))
}
