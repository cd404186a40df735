package command_test

import (
	"errors"
	"io"
	"testing"

	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/reflection"

	grpcparley "github.com/parley-rpc/parley/ext/grpc"
	"github.com/parley-rpc/parley/rpc"
)

// streamer is a tester with methods of the other kinds too.
type streamer struct{ tester }

func (*streamer) StreamingOutputCall(req *testgrpc.StreamingOutputCallRequest, s testgrpc.TestService_StreamingOutputCallServer) error {
	for _, p := range req.GetResponseParameters() {
		if err := s.Send(&testgrpc.StreamingOutputCallResponse{Payload: &testgrpc.Payload{Body: make([]byte, p.GetSize())}}); err != nil {
			return err
		}
	}
	return nil
}

func (*streamer) StreamingInputCall(s testgrpc.TestService_StreamingInputCallServer) error {
	sum := 0
	for {
		req, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return s.SendAndClose(&testgrpc.StreamingInputCallResponse{AggregatedPayloadSize: int32(sum)})
		}
		if err != nil {
			return err
		}
		sum += len(req.GetPayload().GetBody())
	}
}

// The command knows the services from grpc's reflection, which is registered
// like them, as is grpc's health.
func TestServicesOfGRPCAreCalledThroughReflection(t *testing.T) {
	srv := rpc.NewServer()
	registrar := grpcparley.NewRegistrar(srv)
	testgrpc.RegisterTestServiceServer(registrar, new(streamer))
	healthpb.RegisterHealthServer(registrar, health.NewServer())
	reflection.Register(registrar)
	url := endpoint(t, srv)
	for _, c := range []struct{ method, data, out string }{
		{"grpc.testing.TestService/UnaryCall", `{}`, "{\"payload\":{}}\n"},
		{"grpc.testing.TestService/StreamingOutputCall", `{"responseParameters":[{"size":1},{"size":2}]}`, "{\"payload\":{\"body\":\"AA==\"}}\n{\"payload\":{\"body\":\"AAA=\"}}\n"},
		{"grpc.testing.TestService/StreamingInputCall", `{"payload":{"body":"AAA="}} {"payload":{"body":"AA=="}}`, "{\"aggregatedPayloadSize\":3}\n"},
		{"grpc.testing.TestService/FullDuplexCall", `{"payload":{"body":"YQ=="}} {"payload":{"body":"Yg=="}}`, "{\"payload\":{\"body\":\"YQ==\"}}\n{\"payload\":{\"body\":\"Yg==\"}}\n"},
		{"grpc.health.v1.Health/Check", `{}`, "{\"status\":\"SERVING\"}\n"},
	} {
		if r := run(t, "call", url, c.method, "-d", c.data, "-o", "json"); r.exit != 0 || r.out != c.out || r.err != "" {
			t.Errorf("%s: exit code %d, %q, %s; want %q", c.method, r.exit, r.out, r.err, c.out)
		}
	}
	run(t, "call", url, "grpc.health.v1.Health/Check", "-d", `{"service":"nobody"}`).wantFailure(t, 1, "NOT_FOUND: unknown service")
}
