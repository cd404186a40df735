package otelparley

import (
	"context"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley-rpc/parley/rpc"
)

// call is one end of a call that is observed.
type call struct {
	*role
	*method
	rpc      *rpc.Call
	at       address
	ctx      context.Context // with the span
	span     trace.Span
	begun    time.Time
	messages *messages // nil: not observed
}

// errPanic is the status of a call whose handler or inner interceptor has
// panicked. The panic itself is only in the log.
var errPanic = rpc.Errorf(rpc.CodeInternal, "panic")

// observer returns an interceptor.
func (r *role) observer(at address) rpc.Interceptor {
	return func(next rpc.Handler) rpc.Handler {
		return func(ctx context.Context, s rpc.Stream) error {
			if r.filter != nil && !r.filter(s.Call()) {
				return next(ctx, s)
			}
			c := r.begin(ctx, s.Call(), at)
			var status error = errPanic
			defer func() { c.end(status) }()
			status = next(c.ctx, c.around(s))
			return status
		}
	}
}

// begin starts a span, as a child of the one in ctx or, at the callee's end, of
// the caller's. handshake returns the span of the request that began a
// connection, if it is what ctx has: of HTTP middleware that traces. It has
// ended long ago, and is no parent of calls.
func handshake(ctx context.Context, conn *rpc.Conn) trace.SpanContext {
	if conn == nil {
		return trace.SpanContext{}
	}
	from := trace.SpanContextFromContext(conn.Context())
	if !from.IsValid() || !from.Equal(trace.SpanContextFromContext(ctx)) {
		return trace.SpanContext{}
	}
	return from
}

func (r *role) begin(ctx context.Context, about *rpc.Call, at address) *call {
	c := &call{role: r, method: r.methodOf(about), rpc: about, at: at, begun: time.Now()}
	opts := append(slices.Clip(c.start), trace.WithTimestamp(c.begun))
	if server := serverAttributes(at(about)); server != nil {
		opts = append(opts, trace.WithAttributes(server...))
	}
	if c.other {
		opts = append(opts, trace.WithAttributes(semconv.RPCMethodOriginal(about.Method.Path())))
	}
	if r.kind == trace.SpanKindServer {
		if from := handshake(ctx, about.Conn); from.IsValid() {
			ctx = trace.ContextWithSpanContext(ctx, trace.SpanContext{})
			opts = append(opts, trace.WithLinks(trace.Link{SpanContext: from}))
		}
		ctx = r.propagator.Extract(ctx, incoming(about.Header()))
		if from := trace.SpanContextFromContext(ctx); r.public && from.IsRemote() {
			opts = append(opts, trace.WithNewRoot(), trace.WithLinks(trace.Link{SpanContext: from}))
		}
	}
	c.ctx, c.span = r.tracer.Start(ctx, c.name, opts...)
	if r.kind == trace.SpanKindClient {
		r.propagator.Inject(c.ctx, outgoing{about})
	}
	return c
}

// around returns the stream to be used in place of s.
func (c *call) around(s rpc.Stream) rpc.Stream {
	if c.sizes == nil && !c.eachEvent {
		return s
	}
	c.messages = &messages{Stream: s, call: c}
	return c.messages
}

// end records the measurements and ends the span.
func (c *call) end(status error) {
	now := time.Now()
	o := outcome{method: c.method, code: rpc.CodeOf(status)}
	server := c.at(c.rpc)
	if c.kind == trace.SpanKindClient {
		o.server = server
		c.countRetries()
	}
	if c.messages != nil {
		c.messages.count()
	}
	if c.duration.Enabled(c.ctx) {
		c.duration.Record(c.ctx, now.Sub(c.begun).Seconds(), c.series(o)...)
	}
	if !c.span.IsRecording() {
		c.span.End()
		return
	}
	c.span.SetAttributes(c.result(o.code)...)
	c.span.SetAttributes(serverAttributes(server)...)
	c.span.SetAttributes(peerAttributes(c.rpc.Peer)...)
	if c.isError(o.code) {
		c.span.SetStatus(codes.Error, status.Error())
	}
	c.span.End(trace.WithTimestamp(now))
}

// countRetries records how often the call was retried.
func (c *call) countRetries() {
	if n := c.rpc.Retries(); n > 0 {
		c.span.SetAttributes(attribute.Int("parley.retries", n))
		c.retries.Add(c.ctx, int64(n), c.measured)
	}
}
