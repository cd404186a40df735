package otelparley

import (
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/proto"

	"github.com/parley-rpc/parley/rpc"
)

// messages is the stream of a call whose messages are observed.
type messages struct {
	rpc.Stream
	call           *call
	sent, received atomic.Int64
}

// Send implements rpc.Stream.
func (m *messages) Send(msg any) error {
	err := m.Stream.Send(msg)
	if err == nil {
		m.seen(msg, "SENT", m.sent.Add(1))
	}
	return err
}

// Recv implements rpc.Stream.
func (m *messages) Recv(msg any) error {
	err := m.Stream.Recv(msg)
	if err == nil {
		m.seen(msg, "RECEIVED", m.received.Add(1))
	}
	return err
}

// seen reports message n of a direction.
func (m *messages) seen(msg any, direction string, n int64) {
	c := m.call
	if c.eachEvent {
		c.span.AddEvent("rpc.message", trace.WithAttributes(
			attribute.String("rpc.message.type", direction), attribute.Int64("rpc.message.id", n)))
	}
	if c.sizes == nil {
		return
	}
	size := c.sizes.response
	if (direction == "SENT") == (c.kind == trace.SpanKindClient) {
		size = c.sizes.request
	}
	size.Record(c.ctx, sizeOf(msg), c.measured)
}

// count records the number of messages.
func (m *messages) count() {
	c := m.call
	if c.sizes == nil {
		return
	}
	requests, responses := m.received.Load(), m.sent.Load()
	if c.kind == trace.SpanKindClient {
		requests, responses = responses, requests
	}
	c.sizes.requests.Record(c.ctx, requests, c.measured)
	c.sizes.responses.Record(c.ctx, responses, c.measured)
}

// sizeOf returns the size of a message in the encoding of Protocol Buffers, 0
// for other messages.
func sizeOf(msg any) int64 {
	switch msg := msg.(type) {
	case proto.Message:
		return int64(proto.Size(msg))
	case *rpc.Raw:
		return int64(len(*msg))
	}
	return 0
}
