package otelparley

import (
	"errors"

	"go.opentelemetry.io/otel/metric"
)

// connectionInstruments are the instruments of connections. doc.go describes
// them.
type connectionInstruments struct {
	duration            metric.Float64Histogram
	losses, resumptions metric.Int64Counter

	// These are observed when the meter collects.
	count          metric.Int64ObservableUpDownCounter
	io             metric.Int64ObservableCounter
	streams        metric.Int64ObservableUpDownCounter
	streamsWaiting metric.Int64ObservableUpDownCounter
	queue          metric.Int64ObservableUpDownCounter
	queueWaiting   metric.Int64ObservableUpDownCounter
}

func newConnectionInstruments(m metric.Meter) (*connectionInstruments, error) {
	var (
		in   connectionInstruments
		errs [9]error
	)
	in.duration, errs[0] = m.Float64Histogram("parley.connection.duration", metric.WithUnit("s"),
		metric.WithDescription("Time from the HELLO of a connection to its end."),
		metric.WithExplicitBucketBoundaries(1, 10, 60, 300, 1800, 3600, 6*3600, 24*3600))
	in.losses, errs[1] = m.Int64Counter("parley.link.losses", metric.WithUnit("{link}"),
		metric.WithDescription("Links that were lost; the session may be resumed on another one."))
	in.resumptions, errs[2] = m.Int64Counter("parley.link.resumptions", metric.WithUnit("{link}"),
		metric.WithDescription("Links that have resumed a session."))
	in.count, errs[3] = m.Int64ObservableUpDownCounter("parley.connection.count", metric.WithUnit("{connection}"),
		metric.WithDescription("Connections that are open."))
	in.io, errs[4] = m.Int64ObservableCounter("parley.io", metric.WithUnit("By"),
		metric.WithDescription("Bytes of frames on all links."))
	in.streams, errs[5] = m.Int64ObservableUpDownCounter("parley.stream.count", metric.WithUnit("{stream}"),
		metric.WithDescription("Calls in flight."))
	in.streamsWaiting, errs[6] = m.Int64ObservableUpDownCounter("parley.stream.waiting", metric.WithUnit("{stream}"),
		metric.WithDescription("Calls that wait because the peer accepts no more at once."))
	in.queue, errs[7] = m.Int64ObservableUpDownCounter("parley.queue.size", metric.WithUnit("By"),
		metric.WithDescription("Bytes of frames that wait to be sent, or to be acknowledged."))
	in.queueWaiting, errs[8] = m.Int64ObservableUpDownCounter("parley.queue.waiting", metric.WithUnit("{message}"),
		metric.WithDescription("Sends that wait for room in the queue."))
	return &in, errors.Join(errs[:]...)
}

// observed returns the instruments that are observed when the meter collects.
func (in *connectionInstruments) observed() []metric.Observable {
	return []metric.Observable{in.count, in.io, in.streams, in.streamsWaiting, in.queue, in.queueWaiting}
}
