// Package otelparley observes parley with OpenTelemetry: a span and a duration
// for each end of each call, propagation of trace contexts in metadata, and
// metrics of connections.
//
//	telemetry, err := otelparley.New()
//	...
//	defer telemetry.Close()
//	srv := rpc.NewServer(telemetry.ServerOption())
//	client := rpc.NewClient(url, telemetry.ClientOption())
//
// One Telemetry serves any number of servers and clients of a program. Without
// options it uses the global providers and propagator of package otel.
//
// # Calls
//
// Names and attributes are those of the semantic conventions for RPC, version
// 1.43.0. rpc.system.name is "parley", rpc.method is "package.Service/Method",
// which is also the name of the span, and rpc.response.status_code is gRPC's
// name of the code. A caller's span has kind client and ends when the caller
// knows the status: the span of a stream that is neither received to its end
// nor closed does not end. A handler's span has kind server. The histograms
// rpc.client.call.duration and rpc.server.call.duration have the same
// durations. The counter parley.client.retries counts attempts after the first,
// by rpc.method.
//
// At the caller's end every status but OK is an error. At the handler's end the
// errors are UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE
// and DATA_LOSS. Calls that reach no handler, such as those of methods that are
// not registered, are only observed at the caller's end.
//
// # Connections
//
// These metrics cover all connections of servers, or all of clients:
// parley.side is "server" or "client".
//
//	parley.connection.count     open connections, by parley.connection.state: "connected" or "detached"
//	parley.connection.duration  seconds from HELLO to the end, with error.type unless it was closed normally
//	parley.link.losses          lost links
//	parley.link.resumptions     links that have resumed a connection
//	parley.io                   bytes of frames, by network.io.direction
//	parley.stream.count         calls in flight, by parley.stream.opener: "local" or "remote"
//	parley.stream.waiting       calls that wait because the peer accepts no more at once
//	parley.queue.size           bytes, by parley.queue.state: "unsent" or "unacknowledged"
//	parley.queue.waiting        sends that wait for room in the queue
//
// # Clusters
//
// Telemetry.ObserveCluster adds metrics of a node of package ext/cluster, without
// attributes but those that it is given:
//
//	parley.cluster.bus.available         1 while the bus works, 0 while it does not
//	parley.cluster.bus.losses            times that messages of the bus may have been lost
//	parley.cluster.bus.missed            messages of topics that the bus has lost
//	parley.cluster.node.count            other nodes that are known to live
//	parley.cluster.node.draining         other nodes that take no new clients
//	parley.cluster.node.unreachable      other nodes to which the last connection has failed
//	parley.cluster.node.losses           nodes that became silent without having left
//	parley.cluster.node.dialed           connections to other nodes
//	parley.cluster.node.accepted         connections from other nodes
//	parley.cluster.client.count          clients that are connected to the node
//	parley.cluster.client.connections    their connections
//	parley.cluster.client.announcements  messages about them that the node has published
//	parley.cluster.client.events_missed  times that presence events of another node were missed
//	parley.cluster.lookup.requests       requests for a client on the bus
//	parley.cluster.lookup.failures       those that were not answered
//	parley.cluster.call.forwarded        calls of other nodes to clients
//	parley.cluster.relay.count           links that the node passes on to other nodes
//	parley.cluster.relay.started         links that it has passed on
//	parley.cluster.relay.refused         links that were refused because too many are passed on
//	parley.cluster.relay.failures        links whose session's owner did not answer
//	parley.cluster.session.losses        links whose session no node has any more
//	parley.cluster.topic.count           topics with subscribers on the node
//	parley.cluster.topic.gaps            gaps that were told to subscribers
package otelparley
