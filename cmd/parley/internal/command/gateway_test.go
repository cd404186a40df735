package command_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"

	"github.com/parley-rpc/parley/cmd/parley/internal/command"
	grpcparley "github.com/parley-rpc/parley/ext/grpc"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/rpc/health"
)

// running is a command that runs until it is interrupted.
type running struct {
	url  string // that it serves
	stop context.CancelFunc
	done chan int // the exit code
	log  bytes.Buffer
	read chan struct{} // closed when all of log is read
}

// serve runs a command that serves, until the test ends.
func serve(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{stop: cancel, done: make(chan int, 1), read: make(chan struct{})}
	in, out := io.Pipe()
	go func() {
		r.done <- command.Run(ctx, append(args, "-o", "json"), command.Streams{In: strings.NewReader(""), Out: io.Discard, Err: out})
		out.Close()
	}()
	lines := bufio.NewScanner(io.TeeReader(in, &r.log))
	ready := make(chan string, 1)
	go func() {
		defer close(r.read)
		for lines.Scan() {
			var line struct{ Msg, URL string }
			if err := json.Unmarshal(lines.Bytes(), &line); err == nil && line.Msg == "serving" {
				ready <- line.URL
			}
		}
		close(ready)
	}()
	t.Cleanup(func() {
		cancel()
		<-r.read
	})
	if r.url = <-ready; r.url == "" {
		t.Fatalf("%v does not serve: %s", args, &r.log)
	}
	return r
}

// end interrupts the command and returns its exit code and its log.
func (r *running) end() (int, string) {
	r.stop()
	<-r.read
	return <-r.done, r.log.String()
}

// tester is a service of grpc-go.
type tester struct {
	testgrpc.UnimplementedTestServiceServer
}

// UnaryCall returns the metadata of the key in the request.
func (s *tester) UnaryCall(ctx context.Context, req *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	said := strings.Join(md.Get(string(req.GetPayload().GetBody())), ",")
	err := errors.Join(grpc.SetHeader(ctx, metadata.Pairs("h", "1", "h", "2")), grpc.SetTrailer(ctx, metadata.Pairs("t-bin", "\x00\xff")))
	return &testgrpc.SimpleResponse{Payload: &testgrpc.Payload{Body: []byte(said)}}, err
}

// FullDuplexCall responds to each request.
func (s *tester) FullDuplexCall(stream testgrpc.TestService_FullDuplexCallServer) error {
	for {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = stream.Send(&testgrpc.StreamingOutputCallResponse{Payload: req.GetPayload()})
		}
		if err != nil {
			return err
		}
	}
}

// listen starts a server of grpc-go with reflection and returns its address.
func listen(t *testing.T, impl testgrpc.TestServiceServer, opts ...grpc.ServerOption) string {
	t.Helper()
	srv := grpc.NewServer(opts...)
	reflection.Register(srv)
	return listenOn(t, srv, impl)
}

// listenOn serves impl on srv and returns its address.
func listenOn(t *testing.T, srv *grpc.Server, impl testgrpc.TestServiceServer) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	testgrpc.RegisterTestServiceServer(srv, impl)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	t.Cleanup(func() {
		srv.Stop()
		<-served
	})
	return l.Addr().String()
}

// dial returns a client of url.
func dial(t *testing.T, url string, opts ...rpc.ClientOption) *rpc.Client {
	t.Helper()
	client := rpc.NewClient(url, opts...)
	t.Cleanup(func() { client.Close() })
	return client
}

// said returns the error of package ws without the URL.
func said(t *testing.T, c rpc.Caller, key string) (string, error) {
	t.Helper()
	return saidWith(t.Context(), c, key)
}

// saidWith is like said, with the metadata of ctx.
func saidWith(ctx context.Context, c rpc.Caller, key string) (string, error) {
	res, err := testgrpc.NewTestServiceClient(grpcparley.NewClientConn(c)).UnaryCall(ctx,
		&testgrpc.SimpleRequest{Payload: &testgrpc.Payload{Body: []byte(key)}})
	return string(res.GetPayload().GetBody()), err
}

func TestAGatewayLeadsToItsBackends(t *testing.T) {
	address := listen(t, &tester{})
	g := serve(t, "gateway", "--listen", "127.0.0.1:0", "--backend", "grpc.testing=dns:///"+address, "--backend", "elsewhere=127.0.0.1:1", "--forward", "authorization")
	client := dial(t, g.url, rpc.WithHTTPHeader(http.Header{"Authorization": {"Bearer me"}, "X-Forwarded-For": {"10.1.1.1"}}))
	for key, want := range map[string]string{"authorization": "Bearer me", "x-forwarded-for": "10.1.1.1, 127.0.0.1"} {
		if got, err := said(t, client, key); err != nil || got != want {
			t.Errorf("%s: %q, %v", key, got, err)
		}
	}
	_, err := rpc.CallUnary[testgrpc.Empty, testgrpc.Empty](t.Context(), client, &rpc.Method{Service: "elsewhere.Service", Name: "Call"}, &testgrpc.Empty{})
	if !errors.Is(err, rpc.CodeUnavailable) || !strings.Contains(err.Error(), "backend 127.0.0.1:1: ") {
		t.Errorf("got %v", err)
	}
	_, err = rpc.CallUnary[testgrpc.Empty, testgrpc.Empty](t.Context(), client, &rpc.Method{Service: "other.Service", Name: "Call"}, &testgrpc.Empty{})
	if !errors.Is(err, rpc.CodeUnimplemented) {
		t.Errorf("got %v", err)
	}
}

// healthz asks a gateway, whose URL for clients is url, for its health by HTTP.
func healthz(t *testing.T, url string) (code int) {
	t.Helper()
	host, _, _ := strings.Cut(strings.TrimPrefix(url, "ws://"), "/")
	res, err := http.Get("http://" + host + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}

func TestAGatewayReportsItsHealth(t *testing.T) {
	g := serve(t, "gateway", "--listen", "127.0.0.1:0", "--path", "/ws", "--backend", "127.0.0.1:1")
	if code := healthz(t, g.url); code != http.StatusOK {
		t.Errorf("/healthz answers %d", code)
	}
	if status, err := health.NewClient(dial(t, g.url)).Check(t.Context(), ""); err != nil || status != health.Serving {
		t.Errorf("got %v, %v", status, err)
	}
	run(t, "ping", strings.TrimSuffix(g.url, "/ws")+"/rpc").wantFailure(t, 3, "there is no WebSocket endpoint at the path /rpc (HTTP 404 Not Found)")
}

// TestAGatewayLetsCallsEnd interrupts a gateway with calls in flight.
func TestAGatewayLetsCallsEnd(t *testing.T) {
	g := serve(t, "gateway", "--listen", "127.0.0.1:0", "--backend", listen(t, &tester{}))
	client := dial(t, g.url)
	stream, err := testgrpc.NewTestServiceClient(grpcparley.NewClientConn(client)).FullDuplexCall(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	talk := func() {
		t.Helper()
		if err := stream.Send(&testgrpc.StreamingOutputCallRequest{}); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	talk()
	conn, err := client.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	g.stop()
	<-conn.Draining()
	if code := healthz(t, g.url); code != http.StatusServiceUnavailable {
		t.Errorf("/healthz answers %d", code)
	}
	talk()
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	exit, log := g.end()
	if exit != 0 || !strings.Contains(log, `"msg":"draining"`) || !strings.Contains(log, `"msg":"stopped"`) || strings.Contains(log, "cut off") {
		t.Errorf("exit code %d\n%s", exit, log)
	}
}

func TestGatewayCutsOffCallsWhenItsDrainTimeoutEnds(t *testing.T) {
	g := serve(t, "gateway", "--listen", "127.0.0.1:0", "--drain", "50ms", "--backend", listen(t, &tester{}))
	stream, err := testgrpc.NewTestServiceClient(grpcparley.NewClientConn(dial(t, g.url))).FullDuplexCall(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&testgrpc.StreamingOutputCallRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	exit, log := g.end()
	if exit != 0 || !strings.Contains(log, "calls in flight were cut off") {
		t.Errorf("exit code %d\n%s", exit, log)
	}
}

func TestAGatewaySpeaksTLSBothWays(t *testing.T) {
	folder := t.TempDir()
	certify(t, folder, "gateway")
	certify(t, folder, "backend")
	own, err := tls.LoadX509KeyPair(filepath.Join(folder, "backend.pem"), filepath.Join(folder, "backend.key"))
	if err != nil {
		t.Fatal(err)
	}
	address := listen(t, &tester{}, grpc.Creds(credentials.NewServerTLSFromCert(&own)))
	g := serve(t, "gateway", "--listen", "127.0.0.1:0", "--cert", filepath.Join(folder, "gateway.pem"), "--key", filepath.Join(folder, "gateway.key"),
		"--backend", address, "--backend-tls", "--backend-ca", filepath.Join(folder, "backend.pem"), "--backend-server-name", "backend.test")
	if !strings.HasPrefix(g.url, "wss://") {
		t.Errorf("it serves %s", g.url)
	}
	ping := run(t, "ping", g.url, "-n", "1", "--ca", filepath.Join(folder, "gateway.pem"), "--server-name", "gateway.test")
	if ping.exit != 0 {
		t.Errorf("%s", ping.err)
	}
	client := dial(t, g.url, rpc.WithTLS(&tls.Config{InsecureSkipVerify: true}))
	if _, err := said(t, client, "x"); err != nil {
		t.Error(err)
	}
}

func TestAGatewayRefusesOtherOriginsThanItsOwn(t *testing.T) {
	g := serve(t, "gateway", "--listen", "127.0.0.1:0", "--backend", "127.0.0.1:1", "--origin", "https://*.example.com")
	origin := func(o string) result { return run(t, "ping", g.url, "-n", "1", "--http-header", "Origin: "+o) }
	if r := origin("https://app.example.com"); r.exit != 0 {
		t.Errorf("%s", r.err)
	}
	if r := origin("https://evil.test"); r.exit != 3 {
		t.Errorf("exit code %d", r.exit)
	}
}

// TestPagesReachAGatewayByItsNamesOnly connects pages whose site has the name
// by which they reach the gateway, as with DNS rebinding.
func TestPagesReachAGatewayByItsNamesOnly(t *testing.T) {
	for name, c := range map[string]struct {
		flags []string
		pages map[string]int // exit codes
	}{
		"without --host":  {nil, map[string]int{"http://localhost": 0, "http://evil.test": 3}},
		"with --host":     {[]string{"--host", "*.example.com"}, map[string]int{"http://rpc.example.com": 0, "http://localhost": 3, "http://evil.test": 3}},
		"--host *":        {[]string{"--host", "*"}, map[string]int{"http://evil.test": 0}},
		"--secure-origin": {[]string{"--host", "*", "--secure-origin"}, map[string]int{"http://rpc.example.com": 3, "https://rpc.example.com": 0}},
	} {
		g := serve(t, append([]string{"gateway", "--listen", "127.0.0.1:0", "--backend", "127.0.0.1:1"}, c.flags...)...)
		for page, exit := range c.pages {
			_, host, _ := strings.Cut(page, "://")
			r := run(t, "ping", g.url, "-n", "1", "--http-header", "Origin: "+page, "--http-header", "Host: "+host)
			if r.exit != exit {
				t.Errorf("%s: a page of %s: exit code %d: %s", name, page, r.exit, r.err)
			}
		}
	}
}

func TestGatewaysThatMakeNoSenseAreRefused(t *testing.T) {
	for says, args := range map[string][]string{
		"--backend is missing: say where calls go":                {},
		"the scheme zookeeper is unknown: write dns:///host:port": {"--backend", "zookeeper:///x"},
		`there are two routes of "a"`:                             {"--backend", "a=x:1", "--backend", "a=y:1"},
		"--balancer best: use round_robin or pick_first":          {"--backend", "x:1", "--balancer", "best"},
		"go with --backend-tls":                                   {"--backend", "x:1", "--backend-ca", "x"},
		"--listen: ":                                              {"--backend", "x:1", "--listen", "256.0.0.1:x"},
		"--path rpc: it must begin with /":                        {"--backend", "x:1", "--path", "rpc"},
		"--cert, --key: ":                                         {"--backend", "x:1", "--cert", "none.pem"},
		"Parameters.MaxMessage is 12, must be from":               {"--backend", "x:1", "--max-message", "12"},
		"not-an-origin":                                           {"--backend", "x:1", "--origin", "not-an-origin"},
		"--trusted-proxy 10.0.0.1: write a network":               {"--backend", "x:1", "--trusted-proxy", "10.0.0.1"},
		"--forward te: gRPC has no such metadata":                 {"--backend", "x:1", "--forward", "te"},
		"want a host without a port":                              {"--backend", "x:1", "--host", "example.com:80"},
		"--allow-metadata te: write a key of metadata":            {"--backend", "x:1", "--allow-metadata", "te"},
		"--deny-metadata x y: write a key of metadata":            {"--backend", "x:1", "--deny-metadata", "x y"},
		"must not be negative":                                    {"--backend", "x:1", "--max-connections", "-1"},
	} {
		run(t, append([]string{"gateway"}, args...)...).wantFailure(t, 2, says)
	}
}
