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
package otelparley
