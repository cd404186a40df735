package grpcparley

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/parley-rpc/parley/rpc"
)

// methods are the methods that a ClientConn has called. So package rpc finds
// the alias of a method by its pointer, and a descriptor is looked up once.
type methods struct {
	mu    sync.Mutex // serializes add
	known atomic.Pointer[map[methodKey]*rpc.Method]
}

type methodKey struct {
	name                         string
	clientStreams, serverStreams bool
}

// maxMethods bounds the memory of a caller with ever new methods, such as a
// proxy.
const maxMethods = 1024

// of returns the method with a name, "/service/name".
func (a *methods) of(name string, desc *grpc.StreamDesc) (*rpc.Method, error) {
	key := methodKey{name, desc.ClientStreams, desc.ServerStreams}
	if known := a.known.Load(); known != nil {
		if m := (*known)[key]; m != nil {
			return m, nil
		}
	}
	m, err := methodOf(name, desc)
	if err == nil {
		a.add(key, m)
	}
	return m, err
}

func (a *methods) add(key methodKey, m *rpc.Method) {
	a.mu.Lock()
	defer a.mu.Unlock()
	next := make(map[methodKey]*rpc.Method)
	if known := a.known.Load(); known != nil {
		if len(*known) >= maxMethods {
			return
		}
		maps.Copy(next, *known)
	}
	next[key] = m
	a.known.Store(&next)
}

// methodOf parses the name of a method, "/service/name".
func methodOf(name string, desc *grpc.StreamDesc) (*rpc.Method, error) {
	service, method, ok := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	if !ok || service == "" || method == "" || strings.Contains(method, "/") {
		return nil, status.Errorf(codes.InvalidArgument, `grpcparley: the method name %q has not the form "/package.Service/Method"`, name)
	}
	return &rpc.Method{
		Service:       service,
		Name:          method,
		ClientStreams: desc.ClientStreams,
		ServerStreams: desc.ServerStreams,
		Idempotency:   idempotencyOf(service, method),
	}, nil
}

// idempotencyOf returns the idempotency_level of a method. Stubs of grpc do not
// contain it, but the file descriptor does, which is linked in with the
// messages.
func idempotencyOf(service, method string) rpc.Idempotency {
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service + "." + method))
	if err != nil {
		return rpc.IdempotencyUnknown
	}
	options, _ := d.Options().(*descriptorpb.MethodOptions)
	switch options.GetIdempotencyLevel() {
	case descriptorpb.MethodOptions_NO_SIDE_EFFECTS:
		return rpc.NoSideEffects
	case descriptorpb.MethodOptions_IDEMPOTENT:
		return rpc.Idempotent
	}
	return rpc.IdempotencyUnknown
}
