package grpcparley

import (
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"

	"github.com/parley-rpc/parley/ext/grpc/internal/keys"
	"github.com/parley-rpc/parley/rpc"
)

// Registrar registers services of grpc with a server of package rpc. It is a
// grpc.ServiceRegistrar, and lists its services, as reflection requires. It is
// safe for concurrent use.
type Registrar struct {
	to     rpc.Registrar
	unary  []grpc.UnaryServerInterceptor
	stream []grpc.StreamServerInterceptor
	stats  []stats.Handler
	log    *slog.Logger
	allow  keys.Patterns // keys that proxies set
	last   atomic.Pointer[peerMetadata]

	mu       sync.Mutex
	services map[string]grpc.ServiceInfo
}

var _ grpc.ServiceRegistrar = (*Registrar)(nil)

// NewRegistrar returns a Registrar whose services are served by a *rpc.Server,
// or by the client or server that serves a *rpc.Mux. Services of package rpc
// can be registered there too. It panics if an option is invalid.
func NewRegistrar(to rpc.Registrar, opts ...ServerOption) *Registrar {
	r := &Registrar{to: to, log: slog.Default(), services: make(map[string]grpc.ServiceInfo)}
	for _, o := range opts {
		o.applyServer(r)
	}
	switch {
	case hasNil(r.unary):
		panic("grpcparley: WithUnaryServerInterceptors: one is nil")
	case hasNil(r.stream):
		panic("grpcparley: WithStreamServerInterceptors: one is nil")
	case hasNil(r.stats):
		panic("grpcparley: WithStatsHandler: it is nil")
	case r.log == nil:
		panic("grpcparley: WithLogger: no Logger")
	}
	return r
}

// RegisterService adds a service. It panics if a service of that name is
// registered, or if impl does not implement it.
func (r *Registrar) RegisterService(desc *grpc.ServiceDesc, impl any) {
	if impl != nil {
		if want := reflect.TypeOf(desc.HandlerType).Elem(); !reflect.TypeOf(impl).Implements(want) {
			panic(fmt.Sprintf("grpcparley: %T does not implement %v", impl, want))
		}
	}
	svc := &rpc.Service{Name: desc.ServiceName}
	info := grpc.ServiceInfo{Metadata: desc.Metadata}
	add := func(m *rpc.Method, run func(*serverStream) error) {
		svc.Methods = append(svc.Methods, rpc.ServiceMethod{Method: m, Handler: r.handler(m, run), Raw: true})
		info.Methods = append(info.Methods, grpc.MethodInfo{
			Name: m.Name, IsClientStream: m.ClientStreams, IsServerStream: m.ServerStreams,
		})
	}
	for _, d := range desc.Methods {
		add(&rpc.Method{Service: desc.ServiceName, Name: d.MethodName}, r.serveUnary(d, impl))
	}
	for _, d := range desc.Streams {
		m := &rpc.Method{Service: desc.ServiceName, Name: d.StreamName, ClientStreams: d.ClientStreams, ServerStreams: d.ServerStreams}
		add(m, r.serveStream(d, m, impl))
	}
	r.to.Register(svc)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.services[desc.ServiceName] = info
}

// GetServiceInfo returns the services that were registered here, by name.
func (r *Registrar) GetServiceInfo() map[string]grpc.ServiceInfo {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.services)
}
