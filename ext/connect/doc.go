// Package parleyconnect serves the services of an rpc.Server over plain HTTP
// beside its WebSockets: by the protocols of Connect (JSON and binary), gRPC and
// gRPC-Web. It needs no generated code. So curl, a network without WebSockets,
// and stubs of grpc-go and of Connect in any language reach the same handlers.
//
//	h := parleyconnect.NewHandler(srv)
//	http.Handle("/rpc", h)
//	http.Handle("/rpc/", http.StripPrefix("/rpc", h))
//
// # What is the same
//
// Handlers, interceptors, codecs, compressions, statuses with their details, and
// metadata with its "-bin" keys are those of the server. rpc.FromContext returns
// a Call; its Conn is nil, since a server cannot call such a client. Its Peer
// describes the HTTP request. WithAuthentication authenticates each request.
// Pages are admitted by WithOrigins and WithHosts, and CORS tells browsers so.
// MaxMessage of transport.Parameters and MaxCalls of rpc.Limits apply.
//
// # What differs
//
// Nothing resumes: a call ends with its request. Bidirectional streams need
// HTTP/2. Over HTTP/1.1 the context of a handler ends with its client only once
// all messages of the client are received. The response header of a unary call
// is sent with the response, even after SendHeader. A message that cannot be
// decoded is INVALID_ARGUMENT.
//
// HTTP headers are metadata of the call, except those of HTTP and of the
// protocols, and those that browsers add by themselves, such as Cookie. Peer.Header
// has all of them.
//
// # HTTP/2
//
// gRPC needs HTTP/2. An http.Server speaks it with TLS, and without TLS if its
// Protocols allow it:
//
//	web.Protocols = new(http.Protocols)
//	web.Protocols.SetHTTP1(true)
//	web.Protocols.SetUnencryptedHTTP2(true)
package parleyconnect
