package rpc

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Bridge serves calls of a Server that do not come on a WebSocket: HTTP
// requests of another protocol, for example. Handlers, interceptors, codecs,
// authentication and limits are those of the server. Module ext/connect puts
// Connect, gRPC and gRPC-Web on it.
type Bridge struct{ s *Server }

// NewBridge returns a bridge to the services of s, which may be registered
// later.
func NewBridge(s *Server) *Bridge { return &Bridge{s} }

// ServeHTTP serves the handshake of a WebSocket, as Server.ServeHTTP does.
func (b *Bridge) ServeHTTP(w http.ResponseWriter, r *http.Request) { b.s.ServeHTTP(w, r) }

// Lookup returns the method of a service by name. registered is false if only
// the handler of HandleUnknown serves it: then the method is a new one of
// unknown kind. The error is the status of a call of a method that nothing
// serves.
func (b *Bridge) Lookup(service, name string) (m *Method, registered bool, err error) {
	sm, alias, err := b.s.mux.find(&openBlock{service: service, name: name})
	if err != nil {
		return nil, false, err
	}
	return sm.Method, alias != 0, nil
}

// Authenticate authenticates a request by the function of WithAuthentication.
// The returned context has the values for handlers, and never ends. The error is
// an *Error that may be sent to the client. The log contains more.
func (b *Bridge) Authenticate(r *http.Request) (context.Context, error) {
	ctx, _, cause := b.s.identify(r)
	if cause != nil {
		b.s.logRefusal(r, cause)
		return nil, statusOfRefusal(cause)
	}
	return ctx, nil
}

// CheckOrigin returns an error with CodePermissionDenied for a request of a page
// that may not connect: by WithOrigins, WithSecureOrigin and WithHosts. A GET
// without an Origin may come from a page of the server's own origin, so it must
// use a name by which such pages may reach the server.
func (b *Bridge) CheckOrigin(r *http.Request) error {
	if r.Method == http.MethodGet && r.Header["Origin"] == nil {
		r = r.Clone(r.Context())
		r.Header.Set("Origin", "https://"+r.Host)
	}
	err := b.s.upgrader.CheckOrigin(r)
	if err == nil {
		return nil
	}
	b.s.logRefusal(r, err)
	return Errorf(CodePermissionDenied, "%s", err.Reason)
}

// CheckHeader returns an error with CodeResourceExhausted for a request whose
// headers are larger than Limits.MaxHandshakeHeader: Peer keeps them.
func (b *Bridge) CheckHeader(r *http.Request) error {
	size, most := headerSize(r.Header), b.s.limits.MaxHandshakeHeader
	if size <= most {
		return nil
	}
	err := Errorf(CodeResourceExhausted, "the headers of the request have %d bytes, the limit is %d", size, most)
	b.s.logRefusal(r, err)
	return err
}

// Codecs returns the sorted names of the codecs.
func (b *Bridge) Codecs() []string { return slices.Sorted(maps.Keys(b.s.codecs)) }

// Compressors returns the compressions, sorted by name.
func (b *Bridge) Compressors() []Compressor {
	return slices.SortedFunc(maps.Values(b.s.compressors), func(x, y Compressor) int {
		return strings.Compare(x.Name(), y.Name())
	})
}

// MaxMessage returns the limit in bytes of a message that arrives, which holds
// for inflated messages too.
func (b *Bridge) MaxMessage() int { return b.s.maxMessage() }

// MinCompress returns the size in bytes below which a message is not
// compressed.
func (b *Bridge) MinCompress() int { return minCompressSize }

// Draining returns a channel that is closed when the server accepts no more
// calls.
func (b *Bridge) Draining() <-chan struct{} { return b.s.bridged.draining() }

// BridgedCall is a call that a Bridge serves.
type BridgedCall struct {
	Service  string      // of the method: "acme.users.v1.UserService"
	Name     string      // of the method: "GetUser"
	Unary    bool        // there is one message each way; needed only if the method is not registered
	Codec    string      // of the messages: a name of Bridge.Codecs; empty: proto
	Metadata Metadata    // of the request; what is invalid or reserved is left out
	Peer     *Peer       // the caller
	Messages MessageFlow // the messages of both directions

	// Interrupt makes the Recv of Messages that is waiting fail. It is called
	// if the call ends meanwhile: by its context, by the server, or because the
	// handler has returned.
	Interrupt func()

	// InterruptSend makes a Send of Messages fail that waits for the caller, and
	// later ones, unless they are quick. It is called if the context of the call
	// ends while its handler runs or its response is sent. It may be nil.
	InterruptSend func()
}

// MessageFlow carries the messages of one call to and from its handler, encoded
// and not compressed. One goroutine may receive while another sends.
type MessageFlow interface {
	// Recv waits for the caller's next message, which is valid until the next
	// Recv. It returns io.EOF after the last one. Another error ends the call;
	// an *Error is its status.
	Recv() ([]byte, error)
	// SetHeader takes the response header, if it is not empty, before it is
	// sent: before SendHeader and the first Send. It is called once.
	SetHeader(Metadata)
	// SendHeader sends the response header before there is a message.
	SendHeader() error
	// Send sends a message, and does not retain it.
	Send(msg []byte) error
	// SetTrailer takes the trailer, if it is not empty, when the handler has
	// returned. If the response is one message, Send follows.
	SetTrailer(Metadata)
}

// Serve serves a call and returns its status: nil for OK, and otherwise an
// *Error. It returns when the handler has returned. ctx is that of the call: it
// has its deadline, ends when the caller leaves, and has the values of
// Authenticate.
//
// The handler gets a Stream as for any other call. FromContext returns a Call
// whose Conn is nil. A message that the codec cannot decode fails the call with
// CodeInvalidArgument. Of the Limits of the server, MaxCalls applies to all
// calls of bridges together as to those of one connection, and
// transport.Parameters.MaxHeader to the metadata of a call. A call ends with
// CodeUnauthenticated when its credentials expire (WithExpiry).
func (b *Bridge) Serve(ctx context.Context, call BridgedCall) error {
	if ends, ok := Expiry(ctx); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, ends, Errorf(CodeUnauthenticated, "the credentials have expired"))
		defer cancel()
	}
	e := &b.s.endpoint
	ctx, leave, err := e.bridged.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if full := e.inflight.acquire(&e.bridged.inflight); full != nil {
		return Errorf(CodeUnavailable, "%s", full.Reason)
	}
	defer e.inflight.release(&e.bridged.inflight)
	s := &bridgedStream{e: e, flow: call.Messages, gate: recvGate{interrupt: call.Interrupt}}
	if call.InterruptSend != nil {
		defer context.AfterFunc(ctx, call.InterruptSend)()
	}
	if err := s.accept(&call); err != nil {
		return err
	}
	if err := s.run(ctx); err != nil {
		return bridgedStatus(ctx, err)
	}
	return nil
}

// bridgedStatus returns the status of a call whose context may have ended for a
// reason of the server's.
func bridgedStatus(ctx context.Context, err error) error {
	var why *Error
	if ctx.Err() != nil && errors.As(context.Cause(ctx), &why) {
		return why
	}
	return asError(err)
}

// metadataPairs returns valid metadata as pairs, of at most limit bytes. It
// leaves out what is not valid.
func metadataPairs(md Metadata, limit int) (p *pairs, err error) {
	for _, key := range slices.Sorted(maps.Keys(md)) {
		if !validKey(key) || strings.HasPrefix(key, reservedPrefix) {
			continue
		}
		for _, value := range md[key] {
			if checkValue(key, value) != nil {
				continue
			}
			if p.count() == maxPairs {
				return nil, Errorf(CodeResourceExhausted, "header of the call: %w", errPairs)
			}
			if p = p.append(key, value); len(p.fields) > limit {
				return nil, Errorf(CodeResourceExhausted, "metadata of the call exceeds the limit of %d bytes", limit)
			}
		}
	}
	return p, nil
}
