package otelparley

import (
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley-rpc/parley/rpc"
)

// method is what all observed calls of one method at one end have in common.
type method struct {
	name       string                   // of spans
	other      bool                     // it stands for methods that are not named
	attributes []attribute.KeyValue     // of spans and measurements
	start      []trace.SpanStartOption  // of spans
	measured   metric.MeasurementOption // of measurements
}

// methodName is the key of a method, which avoids concatenating its path.
type methodName struct{ service, name string }

// other stands for methods that are not registered: a caller can invent any
// number of names.
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

// outcome distinguishes the time series of a role.
type outcome struct {
	method *method
	code   rpc.Code
	server string // at the caller's end
}

// series returns the option with which durations of calls with an outcome are
// recorded.
func (r *role) series(o outcome) []metric.RecordOption {
	return r.outcomes.get(o, func() []metric.RecordOption {
		return []metric.RecordOption{set(slices.Concat(o.method.attributes, r.result(o.code), serverAttributes(o.server)))}
	})
}

// result returns the attributes of the status of a call.
func (r *role) result(code rpc.Code) []attribute.KeyValue {
	name := statusName(code)
	if !r.isError(code) {
		return []attribute.KeyValue{semconv.RPCResponseStatusCode(name)}
	}
	return []attribute.KeyValue{semconv.RPCResponseStatusCode(name), semconv.ErrorTypeKey.String(name)}
}
