package proxy

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // backends may respond with gzip
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/parley-rpc/parley/ext/grpc/internal/translate"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// Config configures a Proxy.
type Config struct {
	// Routes selects the backend of each service.
	Routes []Route
	// MaxMessage is the limit in bytes of a message from a backend; a larger
	// one fails its call with RESOURCE_EXHAUSTED. Default 4 MiB. The limit of
	// the rpc.Server applies to messages of callers
	// (transport.Parameters.MaxMessage), and a caller may have a lower one for
	// responses.
	MaxMessage int
	// Headers selects the headers of the handshake and the metadata of the call
	// that pass.
	Headers HeaderRules
	// Metadata, if non-nil, is called with the metadata that Headers has
	// selected, and may change what is sent to the backend, for example to add
	// the caller's identity. Its error is the call's status. ctx is the
	// handler's, with rpc.FromContext. Values that are invalid in gRPC's
	// metadata do not pass (HeaderValues).
	Metadata func(ctx context.Context, md metadata.MD) error
	// Describe, if non-nil, returns the definition of a method of a backend.
	// Then a call in JSON reaches the backend in protobuf, so that the backend
	// need not know JSON. If the definition is nil, the call passes as it is.
	// ctx is the one of the call to the backend, with its metadata. The error is
	// the status of the call.
	Describe func(ctx context.Context, backend grpc.ClientConnInterface, m *rpc.Method) (protoreflect.MethodDescriptor, error)
}

// Proxy forwards calls to gRPC servers.
type Proxy struct {
	routes   []Route
	headers  *headers
	metadata func(context.Context, metadata.MD) error
	describe func(context.Context, grpc.ClientConnInterface, *rpc.Method) (protoreflect.MethodDescriptor, error)
	limit    int
}

// New returns a proxy. The error names the invalid part of cfg.
func New(cfg Config) (*Proxy, error) {
	routes, err := checkRoutes(cfg.Routes)
	if err != nil {
		return nil, err
	}
	if err := cfg.Headers.Validate(); err != nil {
		return nil, fmt.Errorf("proxy: Config.Headers: %w", err)
	}
	switch {
	case cfg.MaxMessage < 0:
		return nil, fmt.Errorf("proxy: Config.MaxMessage is %d, must not be negative", cfg.MaxMessage)
	case cfg.MaxMessage == 0:
		cfg.MaxMessage = transport.DefaultMaxMessage
	}
	return &Proxy{
		routes: routes, headers: newHeaders(cfg.Headers), metadata: cfg.Metadata, describe: cfg.Describe, limit: cfg.MaxMessage,
	}, nil
}

// Handle is an rpc.Handler, for HandleUnknown. A service without a route is
// UNIMPLEMENTED. A backend that cannot be reached is UNAVAILABLE, or has
// another status of grpc-go, with an error that names it.
func (p *Proxy) Handle(ctx context.Context, s rpc.Stream) error {
	method := s.Call().Method
	if !validPath(method) {
		return rpc.Errorf(rpc.CodeUnimplemented, "malformed name of a method: %.200q", method.Path())
	}
	route := p.route(method.Service)
	if route == nil {
		return rpc.Errorf(rpc.CodeUnimplemented, "unknown service %.200s: no backend has it", method.Service)
	}
	md := translate.ToMD(s.Call().Header())
	p.headers.apply(md, s.Call().Peer.Header)
	if p.metadata != nil {
		if err := p.metadata(ctx, md); err != nil {
			return translate.FromError(err)
		}
	}
	ctx, cancel := context.WithCancelCause(metadata.NewOutgoingContext(ctx, passing(md)))
	defer cancel(nil)
	codec := s.Call().CodecName()
	if codec == rpc.CodecJSON && p.describe != nil {
		described, err := p.describe(ctx, route.Backend, method)
		if err != nil {
			return translate.FromError(err)
		}
		if described != nil {
			s, codec = translateJSON(s, described), rpc.CodecProto
		}
	}
	out, err := route.Backend.NewStream(ctx, anyKind, "/"+method.Path(),
		grpc.ForceCodecV2(rawCodec(codec)), grpc.MaxCallRecvMsgSize(p.limit))
	if err != nil {
		return unreachable(route, err)
	}
	r := relay{in: s, out: out, backend: route.Name, fail: cancel}
	go r.passRequests()
	return r.passAnswers(ctx)
}

// unreachable returns the status of a call that has not reached a backend.
func unreachable(route *Route, err error) error {
	s := status.Convert(err).Proto()
	s.Message = fmt.Sprintf("backend %s: %s", route.Name, s.GetMessage())
	return translate.FromStatus(status.FromProto(s))
}

// anyKind: only the ends of a call know its kind.
var anyKind = &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}

func (p *Proxy) route(service string) *Route {
	for i := range p.routes {
		if p.routes[i].covers(service) {
			return &p.routes[i]
		}
	}
	return nil
}

// validPath reports whether the name of a method is valid as the path of a
// request.
func validPath(m *rpc.Method) bool {
	for _, part := range []string{m.Service, m.Name} {
		for i := range len(part) {
			if c := part[i]; c <= ' ' || c > '~' || c == '/' {
				return false
			}
		}
	}
	return true
}
