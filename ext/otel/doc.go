// Package otelparley observes parley with OpenTelemetry: a span and a duration for
// each call at both ends, the context of traces carried in the calls' metadata, and
// metrics of connections.
//
//	telemetry, err := otelparley.New()
//	...
//	defer telemetry.Close()
//	srv := rpc.NewServer(telemetry.ServerOption())
//	client := rpc.NewClient(url, telemetry.ClientOption())
//
// One Telemetry serves any number of servers and clients of a program. Without options
// it uses the global providers and propagator of package otel.
//
// # Calls
//
// Names and attributes are those of the semantic conventions for RPC, version 1.43.0.
// rpc.system.name is "parley", rpc.method is "package.Service/Method", which is also
// the name of the span, and rpc.response.status_code is gRPC's name of the code.
// A caller's span has kind client and ends when the caller knows the status: a stream
// that is neither received to its end nor closed has a span that does not end. A
// handler's span has kind server. The histograms rpc.client.call.duration and
// rpc.server.call.duration have the same durations. The counter parley.client.retries
// has the attempts at calls beyond the first, by rpc.method.
//
// At the caller's end every status but OK is an error. At the handler's end those are
// that are its own fault: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE
// and DATA_LOSS. Calls that reach no handler, such as those of unregistered methods, are
// seen on the caller's side only.
//
// # Connections
//
// These tell of all connections of servers together, and of all of clients: parley.side
// is "server" or "client".
//
//	parley.connection.count     connections open, by parley.connection.state: "connected", or "detached" without a link
//	parley.connection.duration  seconds from the greeting to the end, with error.type unless it was closed in good order
//	parley.link.losses          links that were lost
//	parley.link.resumptions     links with which a connection has gone on
//	parley.io                   bytes of frames, by network.io.direction
//	parley.stream.count         calls in flight, by parley.stream.opener: "local" or "remote"
//	parley.stream.waiting       calls that wait, as the peer accepts no more at once
//	parley.queue.size           bytes, by parley.queue.state: "unsent" or "unacknowledged"
//	parley.queue.waiting        sends that wait for room in the queue
package otelparley
