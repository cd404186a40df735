package proxy_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/parley-rpc/parley/ext/grpc/proxy"
	"github.com/parley-rpc/parley/rpc"
)

// describe knows the methods of the tests.
func describe(_ context.Context, _ grpc.ClientConnInterface, m *rpc.Method) (protoreflect.MethodDescriptor, error) {
	found := testgrpc.File_grpc_testing_test_proto.Services().ByName("TestService").Methods().ByName(protoreflect.Name(m.Name))
	if found == nil {
		return nil, rpc.Errorf(rpc.CodeUnimplemented, "unknown method %s", m.Name)
	}
	return found, nil
}

// jsonClient returns a client of a proxy that translates JSON for impl.
func jsonClient(t *testing.T, impl *backend) *rpc.Client {
	t.Helper()
	address, _ := listen(t, impl)
	return front(t, proxy.Config{Routes: []proxy.Route{{Backend: connect(t, address)}}, Describe: describe})
}

// openJSON opens a call with messages in JSON, as they are.
func openJSON(t *testing.T, c *rpc.Client, m *rpc.Method) rpc.Stream {
	t.Helper()
	s, err := c.Open(t.Context(), m, rpc.WithRawCodec(rpc.CodecJSON))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestCallsInJSONReachABackendInProtobuf(t *testing.T) {
	client := jsonClient(t, &backend{duplex: echo})
	s := openJSON(t, client, duplex)
	for _, body := range []string{"YQ==", "Yg=="} {
		req := rpc.Raw(`{"payload": {"body": "` + body + `"}, "added in a later version": true}`)
		if err := s.Send(&req); err != nil {
			t.Fatal(err)
		}
		var res rpc.Raw
		if err := s.Recv(&res); err != nil {
			t.Fatal(err)
		}
		var answer struct{ Payload struct{ Body string } }
		if err := json.Unmarshal(res, &answer); err != nil || answer.Payload.Body != body {
			t.Errorf("got %s, %v", res, err)
		}
	}
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if err := s.Recv(new(rpc.Raw)); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
}

func TestJSONThatDoesNotFitAMethodIsRefused(t *testing.T) {
	client := jsonClient(t, &backend{duplex: echo})
	for text, want := range map[string]string{"{bad": "invalid value bad", `{"payload": 7}`: "decode grpc.testing.StreamingOutputCallRequest as json"} {
		s := openJSON(t, client, duplex)
		req := rpc.Raw(text)
		if err := errors.Join(s.Send(&req), s.CloseSend()); err != nil {
			t.Fatal(err)
		}
		if err := s.Recv(new(rpc.Raw)); !errors.Is(err, rpc.CodeInvalidArgument) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestTheErrorOfDescribeIsTheStatus(t *testing.T) {
	client := jsonClient(t, &backend{})
	s := openJSON(t, client, &rpc.Method{Service: "grpc.testing.TestService", Name: "None"})
	if err := s.Recv(new(rpc.Raw)); !errors.Is(err, rpc.CodeUnimplemented) {
		t.Errorf("got %v", err)
	}
}
