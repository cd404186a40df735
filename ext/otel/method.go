package otelparley

import (
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley-rpc/parley/rpc"
)

// method is what all calls of one method have in common that are observed at one end.
type method struct {
	name       string                   // of spans
	other      bool                     // it stands for those that are not named
	attributes []attribute.KeyValue     // of spans and measurements
	start      []trace.SpanStartOption  // of spans
	measured   metric.MeasurementOption // of measurements
}

// methodName is how a method is looked up, without putting its path together.
type methodName struct{ service, name string }

// other stands for unregistered methods: a caller can make up any number of names.
const other = "_OTHER"

var system = semconv.RPCSystemNameKey.String("parley")

func (r *role) methodOf(c *rpc.Call) *method {
	key := methodName{c.Method.Service, c.Method.Name}
	if c.IsUnknown() && !r.known[c.Method.Path()] {
		key = methodName{}
	}
	return r.methods.get(key, func() *method {
		path := c.Method.Path()
		m := &method{name: path, other: key == methodName{}}
		if m.other {
			m.name, path = system.Value.AsString(), other
		}
		m.attributes = append([]attribute.KeyValue{system, semconv.RPCMethod(path)}, r.attributes...)
		m.start = []trace.SpanStartOption{trace.WithSpanKind(r.kind), trace.WithAttributes(m.attributes...)}
		m.measured = set(m.attributes)
		return m
	})
}

// outcome is what distinguishes the time series of a role.
type outcome struct {
	method *method
	code   rpc.Code
	server string // at the caller's end
}

// series returns how durations of calls with an outcome are recorded.
func (r *role) series(o outcome) []metric.RecordOption {
	return r.outcomes.get(o, func() []metric.RecordOption {
		return []metric.RecordOption{set(slices.Concat(o.method.attributes, r.result(o.code), serverAttributes(o.server)))}
	})
}

// result returns the attributes of how a call has ended.
func (r *role) result(code rpc.Code) []attribute.KeyValue {
	name := statusName(code)
	if !r.isError(code) {
		return []attribute.KeyValue{semconv.RPCResponseStatusCode(name)}
	}
	return []attribute.KeyValue{semconv.RPCResponseStatusCode(name), semconv.ErrorTypeKey.String(name)}
}
