package grpcparley

import (
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/parley-rpc/parley/rpc"
)

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
