package otelparley

import (
	"context"
	"errors"
	"slices"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// ClusterStats are figures of a node of package ext/cluster, whose Stats
// describes them. It has the same fields, so that one can be converted into the
// other, and this module does not depend on that one.
type ClusterStats struct {
	BusAvailable bool
	BusLosses    uint64
	BusMissed    uint64

	Nodes            int
	NodesDraining    int
	NodesUnreachable int
	NodesLost        uint64
	NodesDialed      int
	NodesAccepted    int

	Clients       int
	Connections   int
	Announcements uint64
	Lookups       uint64
	LookupsFailed uint64
	EventsMissed  uint64

	CallsForwarded uint64

	Relays        int
	RelaysStarted uint64
	RelaysRefused uint64
	RelaysFailed  uint64
	SessionsLost  uint64

	Topics    int
	TopicGaps uint64
}

// clusterMetric is a metric of a node.
type clusterMetric struct {
	name, unit, about string
	value             func(*ClusterStats) int64
}

// clusterLevels are metrics that rise and fall.
var clusterLevels = []clusterMetric{
	{"parley.cluster.bus.available", "1", "1 while the bus works, 0 while it does not.", available},
	{"parley.cluster.node.count", "{node}", "Other nodes that are known to live.", func(s *ClusterStats) int64 { return int64(s.Nodes) }},
	{"parley.cluster.node.draining", "{node}", "Other nodes that take no new clients.", func(s *ClusterStats) int64 { return int64(s.NodesDraining) }},
	{"parley.cluster.node.unreachable", "{node}", "Other nodes to which the last connection has failed.", func(s *ClusterStats) int64 { return int64(s.NodesUnreachable) }},
	{"parley.cluster.node.dialed", "{connection}", "Connections to other nodes.", func(s *ClusterStats) int64 { return int64(s.NodesDialed) }},
	{"parley.cluster.node.accepted", "{connection}", "Connections from other nodes.", func(s *ClusterStats) int64 { return int64(s.NodesAccepted) }},
	{"parley.cluster.client.count", "{client}", "Clients that are connected to the node.", func(s *ClusterStats) int64 { return int64(s.Clients) }},
	{"parley.cluster.client.connections", "{connection}", "Connections of clients to the node.", func(s *ClusterStats) int64 { return int64(s.Connections) }},
	{"parley.cluster.relay.count", "{link}", "Links that the node passes on to other nodes.", func(s *ClusterStats) int64 { return int64(s.Relays) }},
	{"parley.cluster.topic.count", "{topic}", "Topics with subscribers on the node.", func(s *ClusterStats) int64 { return int64(s.Topics) }},
}

// clusterTotals are metrics that only rise.
var clusterTotals = []clusterMetric{
	{"parley.cluster.bus.losses", "{loss}", "Times that messages of the bus may have been lost.", func(s *ClusterStats) int64 { return total(s.BusLosses) }},
	{"parley.cluster.bus.missed", "{message}", "Messages of topics that the bus has lost.", func(s *ClusterStats) int64 { return total(s.BusMissed) }},
	{"parley.cluster.node.losses", "{node}", "Nodes that became silent without having left.", func(s *ClusterStats) int64 { return total(s.NodesLost) }},
	{"parley.cluster.client.announcements", "{message}", "Messages about its clients that the node has published.", func(s *ClusterStats) int64 { return total(s.Announcements) }},
	{"parley.cluster.client.events_missed", "{time}", "Times that presence events of another node were missed.", func(s *ClusterStats) int64 { return total(s.EventsMissed) }},
	{"parley.cluster.lookup.requests", "{request}", "Requests for a client on the bus.", func(s *ClusterStats) int64 { return total(s.Lookups) }},
	{"parley.cluster.lookup.failures", "{request}", "Requests for a client that were not answered.", func(s *ClusterStats) int64 { return total(s.LookupsFailed) }},
	{"parley.cluster.call.forwarded", "{call}", "Calls of other nodes to clients.", func(s *ClusterStats) int64 { return total(s.CallsForwarded) }},
	{"parley.cluster.relay.started", "{link}", "Links that were passed on to other nodes.", func(s *ClusterStats) int64 { return total(s.RelaysStarted) }},
	{"parley.cluster.relay.refused", "{link}", "Links that were refused because too many are passed on.", func(s *ClusterStats) int64 { return total(s.RelaysRefused) }},
	{"parley.cluster.relay.failures", "{link}", "Links that were closed because the owner of the session did not answer.", func(s *ClusterStats) int64 { return total(s.RelaysFailed) }},
	{"parley.cluster.session.losses", "{session}", "Links whose session no node has any more.", func(s *ClusterStats) int64 { return total(s.SessionsLost) }},
	{"parley.cluster.topic.gaps", "{gap}", "Gaps that were told to subscribers.", func(s *ClusterStats) int64 { return total(s.TopicGaps) }},
}

func available(s *ClusterStats) int64 {
	if s.BusAvailable {
		return 1
	}
	return 0
}

func total(n uint64) int64 { return int64(n) } //nolint:gosec // no counter gets that far

// ObserveCluster adds the metrics of a node of package ext/cluster:
//
//	err := telemetry.ObserveCluster(func() otelparley.ClusterStats {
//		return otelparley.ClusterStats(node.Stats())
//	})
//
// stats is called whenever the MeterProvider collects, until Close. Attributes
// tell the nodes of one process apart. The error is that of the MeterProvider.
func (t *Telemetry) ObserveCluster(stats func() ClusterStats, attributes ...attribute.KeyValue) error {
	return t.clusters.observe(stats, attributes)
}

// clusters are the nodes that are observed.
type clusters struct {
	meter      metric.Meter
	attributes []attribute.KeyValue

	mu            sync.Mutex
	registrations []metric.Registration
}

// clusterReport observes one metric.
type clusterReport func(metric.Observer, *ClusterStats)

func (c *clusters) observe(stats func() ClusterStats, attributes []attribute.KeyValue) error {
	var (
		observed []metric.Observable
		reports  []clusterReport
		errs     []error
	)
	with := set(slices.Concat(c.attributes, attributes))
	for _, m := range clusterLevels {
		in, err := c.meter.Int64ObservableUpDownCounter(m.name, metric.WithUnit(m.unit), metric.WithDescription(m.about))
		observed, errs = append(observed, in), append(errs, err)
		reports = append(reports, func(o metric.Observer, s *ClusterStats) { o.ObserveInt64(in, m.value(s), with) })
	}
	for _, m := range clusterTotals {
		in, err := c.meter.Int64ObservableCounter(m.name, metric.WithUnit(m.unit), metric.WithDescription(m.about))
		observed, errs = append(observed, in), append(errs, err)
		reports = append(reports, func(o metric.Observer, s *ClusterStats) { o.ObserveInt64(in, m.value(s), with) })
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	registration, err := c.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := stats()
		for _, report := range reports {
			report(o, &s)
		}
		return nil
	}, observed...)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.registrations = append(c.registrations, registration)
	return nil
}

// close ends the observation of all nodes.
func (c *clusters) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, r := range c.registrations {
		errs = append(errs, r.Unregister())
	}
	c.registrations = nil
	return errors.Join(errs...)
}
