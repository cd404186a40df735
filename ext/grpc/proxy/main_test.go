package proxy_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/parley-rpc/parley/ext/grpc/proxy"
	"github.com/parley-rpc/parley/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What the backend's methods get.
type (
	outputStream = grpc.ServerStreamingServer[testgrpc.StreamingOutputCallResponse]
	inputStream  = grpc.ClientStreamingServer[testgrpc.StreamingInputCallRequest, testgrpc.StreamingInputCallResponse]
	duplexStream = grpc.BidiStreamingServer[testgrpc.StreamingOutputCallRequest, testgrpc.StreamingOutputCallResponse]
)

// backend is a service of grpc-go whose methods are functions; those that are
// nil are UNIMPLEMENTED.
type backend struct {
	testgrpc.UnimplementedTestServiceServer
	unary  func(context.Context, *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error)
	output func(*testgrpc.StreamingOutputCallRequest, outputStream) error
	input  func(inputStream) error
	duplex func(duplexStream) error
}

func (b *backend) UnaryCall(ctx context.Context, req *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
	if b.unary == nil {
		return b.UnimplementedTestServiceServer.UnaryCall(ctx, req)
	}
	return b.unary(ctx, req)
}

func (b *backend) StreamingOutputCall(req *testgrpc.StreamingOutputCallRequest, s outputStream) error {
	if b.output == nil {
		return b.UnimplementedTestServiceServer.StreamingOutputCall(req, s)
	}
	return b.output(req, s)
}

func (b *backend) StreamingInputCall(s inputStream) error {
	if b.input == nil {
		return b.UnimplementedTestServiceServer.StreamingInputCall(s)
	}
	return b.input(s)
}

func (b *backend) FullDuplexCall(s duplexStream) error {
	if b.duplex == nil {
		return b.UnimplementedTestServiceServer.FullDuplexCall(s)
	}
	return b.duplex(s)
}

// The methods as parley sees them.
const service = "grpc.testing.TestService"

var (
	unary  = &rpc.Method{Service: service, Name: "UnaryCall"}
	output = &rpc.Method{Service: service, Name: "StreamingOutputCall", ServerStreams: true}
	input  = &rpc.Method{Service: service, Name: "StreamingInputCall", ClientStreams: true}
	duplex = &rpc.Method{Service: service, Name: "FullDuplexCall", ClientStreams: true, ServerStreams: true}
)

// listen starts a grpc-go server and returns its address.
func listen(t *testing.T, impl testgrpc.TestServiceServer, opts ...grpc.ServerOption) (address string, srv *grpc.Server) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv = grpc.NewServer(opts...)
	testgrpc.RegisterTestServiceServer(srv, impl)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	t.Cleanup(func() {
		srv.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String(), srv
}

// connect returns a connection of grpc-go.
func connect(t *testing.T, target string, opts ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(target, append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// front starts a WebSocket server with a proxy and returns its client. Both
// have the options.
func front(t *testing.T, cfg proxy.Config, opts ...rpc.Option) *rpc.Client {
	t.Helper()
	p, err := proxy.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var server []rpc.ServerOption
	var client []rpc.ClientOption
	for _, o := range opts {
		server, client = append(server, o), append(client, o)
	}
	srv := rpc.NewServer(server...)
	srv.HandleUnknown(p.Handle)
	return dial(t, srv, client...)
}

// dial returns a client that has connected to srv.
func dial(t *testing.T, srv *rpc.Server, opts ...rpc.ClientOption) *rpc.Client {
	t.Helper()
	web := httptest.NewServer(srv)
	client := rpc.NewClient("ws"+strings.TrimPrefix(web.URL, "http"), opts...)
	t.Cleanup(func() {
		client.Close()
		srv.Close()
		web.Close()
	})
	if _, err := client.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	return client
}

// through returns a client that reaches impl through a proxy.
func through(t *testing.T, impl *backend) *rpc.Client {
	t.Helper()
	address, _ := listen(t, impl)
	return front(t, proxy.Config{Routes: []proxy.Route{{Backend: connect(t, address)}}})
}

// open starts a call.
func open(t *testing.T, c rpc.Caller, m *rpc.Method, opts ...rpc.CallOption) rpc.Stream {
	t.Helper()
	s, err := c.Open(t.Context(), m, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// send sends a request of a stream with a payload.
func send(t *testing.T, s rpc.Stream, body string) {
	t.Helper()
	if err := s.Send(&testgrpc.StreamingOutputCallRequest{Payload: payload(body)}); err != nil {
		t.Fatal(err)
	}
}

// receive receives the payload of a stream's response.
func receive(t *testing.T, s rpc.Stream) string {
	t.Helper()
	msg := new(testgrpc.StreamingOutputCallResponse)
	if err := s.Recv(msg); err != nil {
		t.Fatal(err)
	}
	return string(msg.GetPayload().GetBody())
}

func payload(body string) *testgrpc.Payload { return &testgrpc.Payload{Body: []byte(body)} }

// echo returns the payload of each request.
func echo(s duplexStream) error {
	for {
		req, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = s.Send(&testgrpc.StreamingOutputCallResponse{Payload: req.GetPayload()})
		}
		if err != nil {
			return err
		}
	}
}

// answer returns the payload of a request.
func answer(_ context.Context, req *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
	return &testgrpc.SimpleResponse{Payload: req.GetPayload()}, nil
}

// call makes a unary call and returns the payload of its response.
func call(ctx context.Context, c rpc.Caller, body string, opts ...rpc.CallOption) (string, error) {
	res, err := rpc.CallUnary[testgrpc.SimpleRequest, testgrpc.SimpleResponse](ctx, c, unary, &testgrpc.SimpleRequest{Payload: payload(body)}, opts...)
	return string(res.GetPayload().GetBody()), err
}

// wantError fails the test unless err has the code and contains the text.
func wantError(t *testing.T, err error, code rpc.Code, says string) {
	t.Helper()
	if !errors.Is(err, code) || !strings.Contains(err.Error(), says) {
		t.Fatalf("got %v, want %v with %q", err, code, says)
	}
}
