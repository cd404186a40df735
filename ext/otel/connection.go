package otelparley

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// side is the connections of all servers, or of all clients.
type side struct {
	attributes []attribute.KeyValue
	*connectionInstruments

	mu             sync.Mutex
	open           map[*rpc.Conn]connection
	sent, received uint64 // bytes, on connections that have ended
}

// connection is one that is open.
type connection struct {
	since    time.Time
	detached bool // it has no link
}

func newSide(name string, cfg *config, in *connectionInstruments) *side {
	return &side{
		attributes:            append([]attribute.KeyValue{attribute.String("parley.side", name)}, cfg.attributes...),
		connectionInstruments: in,
		open:                  make(map[*rpc.Conn]connection),
	}
}

// option registers the hooks for connections.
func (s *side) option() rpc.Option {
	return rpc.Options(rpc.OnConnect(s.begun), rpc.OnDetached(s.lost), rpc.OnResumed(s.resumed), rpc.OnDisconnect(s.ended))
}

// begun, lost, resumed and ended are told of connections, of each in the order
// in which it happens.

func (s *side) begun(c *rpc.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[c] = connection{since: time.Now()}
}

func (s *side) lost(c *rpc.Conn) {
	s.change(c, connection{detached: true})
	s.losses.Add(context.Background(), 1, s.with())
}

func (s *side) resumed(c *rpc.Conn) {
	s.change(c, connection{})
	s.resumptions.Add(context.Background(), 1, s.with())
}

// change updates the state of a connection. It ignores connections that never
// began because a draining server has refused them.
func (s *side) change(c *rpc.Conn, to connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if was, begun := s.open[c]; begun {
		to.since = was.since
		s.open[c] = to
	}
}

func (s *side) ended(c *rpc.Conn, err error) {
	last := c.Stats()
	s.mu.Lock()
	was := s.open[c]
	delete(s.open, c)
	s.sent += last.SentBytes
	s.received += last.ReceivedBytes
	s.mu.Unlock()
	var why []attribute.KeyValue
	if code := rpc.CodeOf(err); code != rpc.CodeCanceled { // the connection was closed normally
		why = append(why, semconv.ErrorTypeKey.String(statusName(code)))
	}
	s.duration.Record(context.Background(), time.Since(was.since).Seconds(), s.with(why...))
}

// with makes an option of the side's attributes and more.
func (s *side) with(more ...attribute.KeyValue) metric.MeasurementOption {
	return set(slices.Concat(s.attributes, more))
}

// totals are the sums over all connections of a side.
type totals struct {
	transport.Stats
	connected, detached int64
}

// totals returns the sums. It does not take the connections' own locks with
// s.mu held.
func (s *side) totals() totals {
	var all totals
	s.mu.Lock()
	all.SentBytes, all.ReceivedBytes = s.sent, s.received
	open := make([]*rpc.Conn, 0, len(s.open))
	for c, how := range s.open {
		open = append(open, c)
		if how.detached {
			all.detached++
		} else {
			all.connected++
		}
	}
	s.mu.Unlock()
	for _, c := range open {
		one := c.Stats()
		all.LocalStreams += one.LocalStreams
		all.RemoteStreams += one.RemoteStreams
		all.WaitingOpens += one.WaitingOpens
		all.SentBytes += one.SentBytes
		all.ReceivedBytes += one.ReceivedBytes
		all.QueuedBytes += one.QueuedBytes
		all.UnacknowledgedBytes += one.UnacknowledgedBytes
		all.BlockedSends += one.BlockedSends
	}
	return all
}

var (
	connected      = attribute.String("parley.connection.state", "connected")
	detached       = attribute.String("parley.connection.state", "detached")
	local          = attribute.String("parley.stream.opener", "local")
	remote         = attribute.String("parley.stream.opener", "remote")
	unsent         = attribute.String("parley.queue.state", "unsent")
	unacknowledged = attribute.String("parley.queue.state", "unacknowledged")
)

// report observes the connections.
func (s *side) report(o metric.Observer) {
	t := s.totals()
	o.ObserveInt64(s.count, t.connected, s.with(connected))
	o.ObserveInt64(s.count, t.detached, s.with(detached))
	o.ObserveInt64(s.io, int64(t.SentBytes), s.with(semconv.NetworkIODirectionTransmit))
	o.ObserveInt64(s.io, int64(t.ReceivedBytes), s.with(semconv.NetworkIODirectionReceive))
	o.ObserveInt64(s.streams, int64(t.LocalStreams), s.with(local))
	o.ObserveInt64(s.streams, int64(t.RemoteStreams), s.with(remote))
	o.ObserveInt64(s.streamsWaiting, int64(t.WaitingOpens), s.with())
	o.ObserveInt64(s.queue, int64(t.QueuedBytes), s.with(unsent))
	o.ObserveInt64(s.queue, int64(t.UnacknowledgedBytes), s.with(unacknowledged))
	o.ObserveInt64(s.queueWaiting, int64(t.BlockedSends), s.with())
}
