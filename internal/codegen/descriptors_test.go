package codegen_test

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/parley-rpc/parley/internal/codegen/testdata/gen/comments/commentsparley"
	"github.com/parley-rpc/parley/internal/codegen/testdata/gen/deprecated/deprecatedparley"
	"github.com/parley-rpc/parley/internal/codegen/testdata/gen/kinds/kindsparley"
	"github.com/parley-rpc/parley/internal/codegen/testdata/gen/nosvc/nosvcparley"
	"github.com/parley-rpc/parley/internal/codegen/testdata/gen/several/severalparley"
	"github.com/parley-rpc/parley/rpc"
)

// registered collects services instead of serving them.
type registered []*rpc.Service

func (r *registered) Register(s *rpc.Service) { *r = append(*r, s) }

func TestRegisteredServicesAreThoseOfTheProto(t *testing.T) {
	var services registered
	kindsparley.RegisterCalculatorServer(&services, kindsparley.UnimplementedCalculatorServer{})
	commentsparley.RegisterWriterServer(&services, commentsparley.UnimplementedWriterServer{})
	commentsparley.RegisterTypistServer(&services, commentsparley.UnimplementedTypistServer{})
	severalparley.RegisterPingServer(&services, severalparley.UnimplementedPingServer{})
	severalparley.RegisterPongServer(&services, severalparley.UnimplementedPongServer{})
	severalparley.RegisterRefereeServer(&services, severalparley.UnimplementedRefereeServer{})
	severalparley.RegisterNewPing_Server(&services, severalparley.UnimplementedNewPing_Server{})
	deprecatedparley.RegisterCurrentServer(&services, deprecatedparley.UnimplementedCurrentServer{})
	nosvcparley.RegisterEmptyServer(&services, nosvcparley.UnimplementedEmptyServer{})

	for _, service := range services {
		// It is found only if the stubs link the package that registers the
		// file.
		descriptor, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service.Name))
		if err != nil {
			t.Errorf("%s: %v", service.Name, err)
			continue
		}
		methods := descriptor.(protoreflect.ServiceDescriptor).Methods()
		if len(service.Methods) != methods.Len() {
			t.Errorf("%s: got %d methods, want %d", service.Name, len(service.Methods), methods.Len())
			continue
		}
		for i, method := range service.Methods {
			want := rpc.Method{
				Service:       service.Name,
				Name:          string(methods.Get(i).Name()),
				ClientStreams: methods.Get(i).IsStreamingClient(),
				ServerStreams: methods.Get(i).IsStreamingServer(),
				Idempotency:   idempotency(methods.Get(i)),
			}
			if *method.Method != want {
				t.Errorf("got %+v, want %+v", *method.Method, want)
			}
			if method.Handler == nil {
				t.Errorf("%s has no handler", method.Method.Path())
			}
		}
	}
}

func idempotency(m protoreflect.MethodDescriptor) rpc.Idempotency {
	switch m.Options().(*descriptorpb.MethodOptions).GetIdempotencyLevel() {
	case descriptorpb.MethodOptions_NO_SIDE_EFFECTS:
		return rpc.NoSideEffects
	case descriptorpb.MethodOptions_IDEMPOTENT:
		return rpc.Idempotent
	default:
		return rpc.IdempotencyUnknown
	}
}
