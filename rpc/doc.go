// Package rpc makes and serves calls over WebSockets: Protocol Buffers
// services, all four kinds of calls, in both directions on one connection. The
// protocol is parley.v1 (docs/spec/PROTOCOL.md).
//
// # Server and client
//
// protoc-gen-go-parley generates an interface, a registration function and a
// client for each service. A [Server] is an [http.Handler], mounted where
// clients connect to:
//
//	srv := rpc.NewServer()
//	pingv1parley.RegisterPingServiceServer(srv, pinger{})
//	http.Handle("/rpc", srv)
//
// A [Client] connects when a call needs it, shares the connection among all
// calls, and reconnects when the connection is lost:
//
//	client := rpc.NewClient("wss://example.com/rpc")
//	ping := pingv1parley.NewPingServiceClient(client)
//	res, err := ping.Ping(ctx, &pingv1.PingRequest{Text: "hello"})
//
// [Dial] makes a single connection instead, a [Conn], and never retries a call.
//
// # Calls
//
// A unary call is a method call. The other kinds have typed views of a
// [Stream]: [Sender] and [Receiver] in handlers and for server streams,
// [Upload] for client streams, [Duplex] for both. One goroutine may send while
// another receives.
//
// Send returns when the message is queued for the network, and blocks while the
// peer is slow. Only the handler's response tells that a message has been
// processed. Recv returns [io.EOF] after the last message of a call that has
// ended with OK, and otherwise the status. A caller that does not receive to
// the end must call Close or cancel the call's context.
//
// A Conn is the same type at both ends, and both Client and Conn can make
// calls. A client serves calls with [WithServices]. A handler calls back on
// [FromContext](ctx).Conn, and a server can keep the connections that
// [OnConnect] reports and call at any time until [OnDisconnect].
//
// # Errors
//
// A call ends with a status: nil, or an [*Error] with one of gRPC's codes, a
// message and details. Handlers create one with [Errorf]; [StatusOf] describes
// how other errors are sent. A panic of a handler becomes CodeInternal, without
// its text. Callers test codes with
//
//	errors.Is(err, rpc.CodeNotFound)
//
// and use errors.As with an *Error for the rest. Failures of the framework are
// statuses as well, such as CodeUnavailable without a connection and
// CodeResourceExhausted for a message over a limit.
//
// # Contexts and metadata
//
// The context of a call bounds the call, never the connection. Its deadline, or
// that of [WithTimeout], is sent to the handler's context, and both ends
// enforce it. When the caller cancels the call or the connection ends, the
// handler's context is canceled.
//
// [Metadata] is sent beside the messages. A caller sends it with [WithMetadata]
// and reads that of the handler with [ReadHeader] and [ReadTrailer], or from
// the [Call] of its stream. A handler uses FromContext(ctx).
//
// An [Interceptor] wraps calls at the serving end ([WithHandlerInterceptors])
// or the calling end ([WithCallInterceptors]).
//
// Hooks such as [OnConnect] and the Stats of Conn and Server show connections;
// package rpc/health reports whether services can be called, and module
// ext/otel traces and measures calls (docs/observability.md).
//
// # Codecs and compression
//
// [WithCodecName] selects the encoding of a call's messages, and
// [WithCompression] compresses the larger ones. Both ends must know the name;
// [WithCodec] and [WithCompressor] register more. [Raw] is a message that is
// already encoded, for proxies. [Server.HandleUnknown] serves methods that are
// not registered. A [Bridge] serves calls that do not come on a WebSocket;
// module ext/connect puts Connect, gRPC and gRPC-Web on it (docs/connect.md).
//
// # Limits and goroutines
//
// [WithTransport] bounds what a connection costs, and [WithLimits] what all
// connections of a server cost together. docs/limits.md lists all limits. A
// peer that does not read delays only what is sent to it.
//
// A connection has one goroutine, and a second one while it writes. Each
// handler has one; handler goroutines are pooled, and up to 128 idle ones are
// kept. Client calls start no goroutine. Close of a Server or Client waits for
// the goroutines of its connections, but not for handlers, whose contexts it
// cancels.
//
// Client, Server, Conn and Mux are safe for concurrent use.
package rpc
