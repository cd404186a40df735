package parleyconnect

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	"github.com/parley-rpc/parley/rpc"
)

// Handler serves a rpc.Server over HTTP: handshakes of WebSockets, and requests
// of Connect, gRPC and gRPC-Web whose path is /service/method.
type Handler struct {
	bridge  *rpc.Bridge
	options []connecthttp.Option
	errors  *connecthttp.ErrorWriter
	methods sync.Map // *rpc.Method to http.Handler
	unknown map[connect.StreamType]http.Handler
}

// NewHandler returns a Handler for srv. Services may be registered later.
//
// Under a path, http.StripPrefix removes that path. A request that is neither a
// handshake nor has a path of two elements goes to srv, which explains what it
// expects.
func NewHandler(srv *rpc.Server) *Handler {
	h := &Handler{bridge: rpc.NewBridge(srv), unknown: make(map[connect.StreamType]http.Handler)}
	h.options = []connecthttp.Option{
		connecthttp.WithCodecs(codecs(h.bridge)...),
		connecthttp.WithCompressors(compressors(h.bridge)...),
		connecthttp.WithCompressMinBytes(h.bridge.MinCompress()),
		connecthttp.WithReadMaxBytes(h.bridge.MaxMessage()),
	}
	h.errors = connecthttp.NewErrorWriter(h.options...)
	for _, kind := range []connect.StreamType{connect.StreamTypeUnary, connect.StreamTypeClient, connect.StreamTypeBidi} {
		h.unknown[kind] = h.procedure(connect.Spec{Procedure: "/unknown/method", StreamType: kind})
	}
	return h
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	service, name, ok := procedureOf(r.URL.Path)
	if !ok || r.Header["Upgrade"] != nil && r.ProtoMajor == 1 {
		h.bridge.ServeHTTP(w, r)
		return
	}
	w.Header().Add("Vary", "Origin")
	if err := h.bridge.CheckHeader(r); err != nil {
		h.refuseHeader(w, r, err)
		return
	}
	if err := h.bridge.CheckOrigin(r); err != nil {
		h.refuse(w, r, err)
		return
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		w = allow(w, origin)
	}
	if r.Method == http.MethodOptions {
		preflight(w, r)
		return
	}
	values, err := h.bridge.Authenticate(r)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	if h.isDraining() {
		w.Header().Set("Connection", "close") // the client's next request goes to another server
		h.refuse(w, r, rpc.Errorf(rpc.CodeUnavailable, "the server is shutting down"))
		return
	}
	m, registered, err := h.bridge.Lookup(service, name)
	if err != nil {
		if isConnectUnary(r) {
			w = &withStatus{w, http.StatusNotFound} // clients of Connect take it for UNIMPLEMENTED, and others know it
		}
		h.refuse(w, r, err)
		return
	}
	serve := h.unknown[connect.StreamTypeUnary]
	switch {
	case registered:
		serve = h.handlerFor(m)
	case !isConnectUnary(r):
		serve = h.unknownStream(r)
	}
	c := &call{service: service, name: name, unary: isConnectUnary(r), peer: peerOf(r), response: http.NewResponseController(w)}
	c.writes = &writeBound{response: c.response}
	defer c.writes.end()
	if m.ClientStreams || m.ServerStreams {
		// net/http would read what is left of a request before it sends a
		// response. An error means that the protocol needs no such call.
		_ = c.response.EnableFullDuplex()
	}
	serve.ServeHTTP(w, r.WithContext(callContext{r.Context(), values, c}))
}

// procedureOf splits a path "/service/method".
func procedureOf(path string) (service, name string, ok bool) {
	rest, rooted := strings.CutPrefix(path, "/")
	service, name, ok = strings.Cut(rest, "/")
	return service, name, ok && rooted && service != "" && name != "" && !strings.Contains(name, "/")
}

// isDraining reports whether the server accepts no more calls.
func (h *Handler) isDraining() bool {
	select {
	case <-h.bridge.Draining():
		return true
	default:
		return false
	}
}

// unknownStream returns what serves a method that is not registered, whose kind
// is unknown. HTTP/1.1 allows no bidirectional streams.
func (h *Handler) unknownStream(r *http.Request) http.Handler {
	if r.ProtoMajor < 2 {
		return h.unknown[connect.StreamTypeClient]
	}
	return h.unknown[connect.StreamTypeBidi]
}

// handlerFor returns what serves a method that is registered.
func (h *Handler) handlerFor(m *rpc.Method) http.Handler {
	if known, ok := h.methods.Load(m); ok {
		return known.(http.Handler)
	}
	made, _ := h.methods.LoadOrStore(m, h.procedure(specOf(m)))
	return made.(http.Handler)
}

// isConnectUnary reports whether a request has the form of Connect's unary
// calls.
func isConnectUnary(r *http.Request) bool {
	kind := r.Header.Get("Content-Type")
	return !strings.HasPrefix(kind, "application/grpc") && !strings.HasPrefix(kind, "application/connect+")
}

// specOf describes a method.
func specOf(m *rpc.Method) connect.Spec {
	spec := connect.Spec{Procedure: "/" + m.Path()}
	if m.ClientStreams {
		spec.StreamType |= connect.StreamTypeClient
	}
	if m.ServerStreams {
		spec.StreamType |= connect.StreamTypeServer
	}
	switch m.Idempotency {
	case rpc.NoSideEffects:
		spec.IdempotencyLevel = connect.IdempotencyNoSideEffects
	case rpc.Idempotent:
		spec.IdempotencyLevel = connect.IdempotencyIdempotent
	}
	return spec
}

// procedure returns the handler of connecthttp for one method.
func (h *Handler) procedure(spec connect.Spec) http.Handler {
	server := connect.NewServer()
	server.Register(connect.Method{Spec: spec, Handler: h.serve})
	only := onlyHandler{procedure: spec.Procedure}
	connecthttp.Mount(&only, server, h.options...)
	return only.handler
}

// onlyHandler is a connecthttp.ServeMux that keeps the handler of one procedure.
type onlyHandler struct {
	procedure string
	handler   http.Handler
}

// Handle implements connecthttp.ServeMux.
func (o *onlyHandler) Handle(pattern string, handler http.Handler) {
	if pattern == o.procedure {
		o.handler = handler
	}
}

// serve is the connect.ServerFunc of all methods.
func (h *Handler) serve(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
	c, _ := ctx.Value(callKey{}).(*call)             // ServeHTTP has set it
	info, _ := connect.CallInfoForServerContext(ctx) // connecthttp has
	c.peer.Protocol = info.Protocol
	return connectError(h.bridge.Serve(ctx, rpc.BridgedCall{
		Service:  c.service,
		Name:     c.name,
		Unary:    c.unary,
		Codec:    info.Codec,
		Metadata: incoming(info.RequestHeader()),
		Peer:     c.peer,
		Messages: &flow{stream: stream, info: info},
		Interrupt: func() {
			_ = c.response.SetReadDeadline(time.Unix(1, 0)) // an error means that the client has left
		},
		InterruptSend: c.writes.begin,
	}))
}

// withStatus replaces the HTTP status of an answer.
type withStatus struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (s *withStatus) WriteHeader(int) { s.ResponseWriter.WriteHeader(s.status) }

// refuseHeader answers a request whose headers are too large. They will be the
// next time too, so it does not say when to try again.
func (h *Handler) refuseHeader(w http.ResponseWriter, r *http.Request, err error) {
	if isConnectUnary(r) {
		w = &withStatus{w, http.StatusRequestHeaderFieldsTooLarge}
	}
	_ = h.errors.Write(w, r, connectError(err)) // an error means that the client has left
}

// refuse answers a request that is not served, in the form of its protocol.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	switch rpc.CodeOf(err) {
	case rpc.CodeUnauthenticated:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case rpc.CodeUnavailable, rpc.CodeResourceExhausted:
		w.Header().Set("Retry-After", "1")
	}
	_ = h.errors.Write(w, r, connectError(err)) // an error means that the client has left
}
