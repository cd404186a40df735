package otelparley

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley-rpc/parley/rpc"
)

// call is a call that is observed, at one of its ends.
type call struct {
	*role
	rpc        *rpc.Call
	ctx        context.Context // with the span
	span       trace.Span
	begun      time.Time
	attributes []attribute.KeyValue // of all measurements
	messages   *messages            // nil: they are not observed
}

// errPanic is the status of a call whose handler, or an interceptor behind this one,
// has panicked. What it said is in the log alone.
var errPanic = rpc.Errorf(rpc.CodeInternal, "panic")

// observe is an interceptor.
func (r *role) observe(next rpc.Handler) rpc.Handler {
	return func(ctx context.Context, s rpc.Stream) error {
		if r.filter != nil && !r.filter(s.Call()) {
			return next(ctx, s)
		}
		c := r.begin(ctx, s.Call())
		var status error = errPanic
		defer func() { c.end(status) }()
		status = next(c.ctx, c.around(s))
		return status
	}
}

// begin starts a span, as a child of the one in ctx or, at the callee's end, of the
// caller's.
func (r *role) begin(ctx context.Context, about *rpc.Call) *call {
	c := &call{role: r, rpc: about, begun: time.Now()}
	method := methodOf(about)
	c.attributes = append([]attribute.KeyValue{system, semconv.RPCMethod(method)}, r.config.attributes...)
	opts := []trace.SpanStartOption{
		trace.WithSpanKind(r.kind), trace.WithTimestamp(c.begun), trace.WithAttributes(c.attributes...),
		trace.WithAttributes(serverAttributes(about.Peer)...),
	}
	name := method
	if method == other {
		name = system.Value.AsString()
		opts = append(opts, trace.WithAttributes(semconv.RPCMethodOriginal(about.Method.Path())))
	}
	if r.kind == trace.SpanKindServer {
		ctx = r.propagator.Extract(ctx, newRequest(about))
		if from := trace.SpanContextFromContext(ctx); r.public && from.IsRemote() {
			opts = append(opts, trace.WithNewRoot(), trace.WithLinks(trace.Link{SpanContext: from}))
		}
	}
	c.ctx, c.span = r.tracer.Start(ctx, name, opts...)
	if r.kind == trace.SpanKindClient {
		r.propagator.Inject(c.ctx, newRequest(about))
	}
	return c
}

// around returns the stream that is to be used in place of s.
func (c *call) around(s rpc.Stream) rpc.Stream {
	if c.sizes == nil && !c.eachEvent {
		return s
	}
	c.messages = &messages{Stream: s, call: c, option: set(c.attributes)}
	return c.messages
}

// end ends the span and takes the measurements.
func (c *call) end(status error) {
	now := time.Now()
	code := rpc.CodeOf(status)
	result := []attribute.KeyValue{semconv.RPCResponseStatusCode(statusName(code))}
	if c.isError(code) {
		result = append(result, semconv.ErrorTypeKey.String(statusName(code)))
		c.span.SetStatus(codes.Error, status.Error())
	}
	if c.messages != nil {
		c.messages.count()
	}
	if c.span.IsRecording() {
		c.span.SetAttributes(result...)
		c.span.SetAttributes(serverAttributes(c.rpc.Peer)...) // a Client knows it only now
		c.span.SetAttributes(peerAttributes(c.rpc.Peer)...)
	}
	if c.kind == trace.SpanKindClient {
		result = append(result, serverAttributes(c.rpc.Peer)...)
		c.countRetries()
	}
	if c.duration.Enabled(c.ctx) {
		c.duration.Record(c.ctx, now.Sub(c.begun).Seconds(), set(append(c.attributes, result...)))
	}
	c.span.End(trace.WithTimestamp(now))
}

// countRetries says how often the call was made again.
func (c *call) countRetries() {
	n := c.rpc.Retries()
	if n == 0 {
		return
	}
	c.span.SetAttributes(attribute.Int("parley.retries", n))
	c.retries.Add(c.ctx, int64(n), metric.WithAttributeSet(attribute.NewSet(c.attributes...)))
}
