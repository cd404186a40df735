package command

import (
	"context"
	"sync"
	"time"

	"github.com/jhump/protoreflect/grpcreflect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/parley-rpc/parley/rpc"
)

// schemaAge is how long a gateway uses the definition of a service before it
// asks the backend again, which may have been replaced.
const schemaAge = time.Minute

// backendSchemas are the definitions of the services of backends, by their
// reflection. They are needed for calls in JSON.
type backendSchemas struct {
	mu    sync.Mutex
	known map[backendService]knownService
}

// backendService is a service that exists on a backend.
type backendService struct {
	backend grpc.ClientConnInterface
	name    string
}

type knownService struct {
	descriptor protoreflect.ServiceDescriptor
	until      time.Time
}

// describe returns the definition of a method, or nil if the backend has no
// reflection: it may know JSON.
func (b *backendSchemas) describe(ctx context.Context, backend grpc.ClientConnInterface, m *rpc.Method) (protoreflect.MethodDescriptor, error) {
	service, err := b.service(ctx, backendService{backend, m.Service})
	if err != nil || service == nil {
		return nil, err
	}
	method := service.Methods().ByName(protoreflect.Name(m.Name))
	if method == nil {
		return nil, rpc.Errorf(rpc.CodeUnimplemented, "unknown method %.200s of service %.200s", m.Name, m.Service)
	}
	return method, nil
}

// service returns the definition of a service, or nil if the backend has no
// reflection.
func (b *backendSchemas) service(ctx context.Context, key backendService) (protoreflect.ServiceDescriptor, error) {
	if known, ok := b.lookUp(key); ok {
		return known, nil
	}
	client := grpcreflect.NewClientAuto(ctx, key.backend)
	defer client.Reset()
	service, err := client.ResolveService(key.name)
	switch {
	case grpcreflect.IsElementNotFoundError(err):
		return nil, rpc.Errorf(rpc.CodeUnimplemented, "unknown service %.200s", key.name)
	case status.Code(err) == codes.Unimplemented:
		b.keep(backendService{key.backend, noReflection}, nil)
		return nil, nil
	case err != nil:
		return nil, rpc.Errorf(rpc.CodeUnavailable, "the backend of %.200s does not describe it, which JSON needs: %w", key.name, err)
	}
	found := service.UnwrapService()
	b.keep(key, found)
	return found, nil
}

// noReflection stands for all services of a backend without reflection.
const noReflection = ""

// lookUp returns what is known of a service, and whether anything is.
func (b *backendSchemas) lookUp(key backendService) (protoreflect.ServiceDescriptor, bool) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if known := b.known[key]; now.Before(known.until) {
		return known.descriptor, true
	}
	return nil, now.Before(b.known[backendService{key.backend, noReflection}].until)
}

// keep keeps the definition of a service.
func (b *backendSchemas) keep(key backendService, d protoreflect.ServiceDescriptor) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known == nil {
		b.known = make(map[backendService]knownService)
	}
	b.known[key] = knownService{d, time.Now().Add(schemaAge)}
}
