// Package rpc makes and serves calls over WebSockets: Protocol Buffers services,
// all four kinds of call, in both directions on one connection. The protocol is
// parley.v1 (docs/spec/PROTOCOL.md).
//
// # A service and a client
//
// protoc-gen-go-parley makes an interface and a registering function of a service,
// and a client. A [Server] is an [http.Handler], mounted where clients connect to:
//
//	srv := rpc.NewServer()
//	pingv1parley.RegisterPingServiceServer(srv, pinger{})
//	http.Handle("/rpc", srv)
//
// A [Client] connects when a call needs it, shares the connection among all calls,
// and connects again by itself when the connection was lost:
//
//	client := rpc.NewClient("wss://example.com/rpc")
//	ping := pingv1parley.NewPingServiceClient(client)
//	res, err := ping.Ping(ctx, &pingv1.PingRequest{Text: "hello"})
//
// [Dial] makes a single connection, a [Conn], instead. What was called may have been
// carried out if its call fails: nothing is tried again.
//
// # The kinds of call
//
// A unary call is a method call. The others have small views of a [Stream]:
// [Sender] and [Receiver] in handlers and for what the server streams, [Upload] for what the
// client streams, [Duplex] for both.
//
// Send returns when the message is queued for the network, not when the other end
// has it, and keeps nothing of the message. It blocks while the other end is slow. When
// the call is over it returns the call's status, and [ErrFinished] if that is OK. That a message
// has arrived, only the handler can tell, by its answer.
//
// Recv returns [io.EOF] when all has been received and the call has ended with OK,
// otherwise the status. A loop over All ends there too, and leaving it early cancels the call. A
// caller that does not receive to the end calls Close, or ends the call's context; after the
// end Close does nothing.
//
// One goroutine may send while another receives.
//
// # Both directions
//
// A Conn is the same type at both ends, and what a stub is made of may be a Client or
// a Conn. A client serves calls with [WithServices]. A handler calls back on
// [FromContext](ctx).Conn, and a server that keeps the connections that [OnConnect] shows it can call
// whenever it likes, until [OnDisconnect] tells that one has ended.
//
// # Errors
//
// A call ends with a status: nil, or an [*Error] with one of gRPC's codes, a text for
// people and details for programs. Handlers return what [Errorf] makes. An error that wraps an
// Error has its code and details, and the text of the whole ([StatusOf]). What is no Error has
// [CodeUnknown], but for the errors of contexts, and its text travels; a panic is
// [CodeInternal], and its text does not. Callers ask with
//
//	errors.Is(err, rpc.CodeNotFound)
//
// and errors.As with an *Error for the rest. Failures that no handler has made are
// statuses as well: CodeUnavailable without a connection, for example, and
// CodeResourceExhausted for a message over a limit.
//
// # Deadlines
//
// The context of a call bounds the call, never the connection. Its deadline, or that
// of [WithTimeout], travels: the handler's context has it, and both ends watch it. When a
// caller leaves, and when the connection ends, the handler's context is canceled.
//
// # Metadata
//
// [Metadata] travels beside the messages. A caller sends some with [WithMetadata], and reads the
// handler's with [ReadHeader] and [ReadTrailer], or from the [Call] of its stream. A handler finds
// the caller's in FromContext(ctx).Header, and answers with SetHeader and SetTrailer.
//
// # Interceptors
//
// An [Interceptor] wraps calls, at the end that serves them ([WithHandlerInterceptors])
// or at the one that makes them ([WithCallInterceptors]). There is one shape, for all four kinds at
// both ends: what is done before next happens before the call, the error of next is the
// call's status, and a Stream around the one that is given sees each message.
//
// # Observing
//
// A Server logs what nobody else is told (WithLogger). Interceptors see calls; hooks and
// Conn.Stats show connections. Package rpc/health tells if services are fit to be called,
// and the module ext/otel traces and measures (docs/observability.md).
//
// # Codecs and compression
//
// [WithCodecName] chooses how a call's messages are written: "json" can be read in a
// browser's tools. [WithCompression] compresses the larger ones. Both ends must know the name;
// [WithCodec] and [WithCompressor] add some.
//
// A [Raw] is a message that is encoded already, for what passes messages on without
// knowing them. [Server.HandleUnknown] takes calls of methods that nobody has registered.
//
// # Limits, memory, goroutines
//
// What a peer can make a process hold is bounded for each connection: [WithTransport] sets
// the bounds, package transport says what they come to. A message over the limit, inflated or not, fails
// its call with CodeResourceExhausted; a peer that does not read holds up only what is sent to it.
// Handlers at once are at most twice Parameters.MaxStreams a connection.
//
// A connection has a goroutine, another while it writes, and each handler has one. Those that have served a handler
// wait for the next: as many as were needed within the last second or two, or 128; Close ends them. A call has none at the caller's end. Close of a
// Server or Client ends its connections and waits for their goroutines, but not for handlers, whose
// contexts it cancels.
//
// Client, Server, Conn and Mux may be used by many goroutines at once.
//
// # Locks
//
// In this order. Those that are not named are taken alone.
//
//	clientStream.retrying -> all others
//	clientStream.mu -> Call.mu
//	line.mu -> Conn.mu -> endpoint.mu
//	line.mu -> watch.mu
//	line.mu -> tasks.mu -> workers.mu
//	Conn.mu -> events.mu -> workers.mu
//
// line.mu, Conn.mu, endpoint.mu and detachedConns.mu come before the locks of package transport, which
// takes workers.mu last of all. No two lines are locked at once. Only
// clientStream.retrying is held while waiting: for the next attempt at that call.
package rpc
