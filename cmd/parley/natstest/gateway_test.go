package natstest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/cmd/parley/internal/command"
	grpcparley "github.com/parley-rpc/parley/ext/grpc"
	"github.com/parley-rpc/parley/rpc"
)

// limit is how long a test waits for what must come.
const limit = 20 * time.Second

// startNATS starts a NATS server and returns its URL.
func startNATS(t *testing.T) (url string, stop func()) {
	t.Helper()
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	go srv.Start()
	if !srv.ReadyForConnections(limit) {
		t.Fatal("the NATS server does not start")
	}
	stop = func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	}
	t.Cleanup(stop)
	return srv.ClientURL(), stop
}

// echo is a service of grpc-go.
type echo struct {
	testgrpc.UnimplementedTestServiceServer
}

func (echo) EmptyCall(context.Context, *testgrpc.Empty) (*testgrpc.Empty, error) {
	return new(testgrpc.Empty), nil
}

func (echo) FullDuplexCall(stream testgrpc.TestService_FullDuplexCallServer) error {
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

// startBackend starts a gRPC server and returns its address.
func startBackend(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer()
	testgrpc.RegisterTestServiceServer(srv, echo{})
	served := make(chan struct{})
	go func() { defer close(served); _ = srv.Serve(l) }()
	t.Cleanup(func() { srv.Stop(); <-served })
	return l.Addr().String()
}

// startGateway runs a gateway until the test ends, or end is called, and returns
// its address.
func startGateway(t *testing.T, args ...string) (address string, end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	log, in := io.Pipe()
	exit := make(chan int, 1)
	go func() {
		defer in.Close()
		args = append([]string{"gateway", "--listen", "127.0.0.1:0", "--drain", "1s", "-o", "json"}, args...)
		exit <- command.Run(ctx, args, command.Streams{In: strings.NewReader(""), Out: io.Discard, Err: in})
	}()
	serving, read := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			var line struct{ Msg, URL string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
				serving <- line.URL
			}
		}
	}()
	end = sync.OnceFunc(func() {
		cancel()
		if code := <-exit; code != 0 {
			t.Errorf("the gateway ends with %d", code)
		}
		<-read
	})
	t.Cleanup(end)
	select {
	case url := <-serving:
		return strings.TrimSuffix(strings.TrimPrefix(url, "ws://"), "/rpc"), end
	case code := <-exit:
		exit <- code
		t.Fatal("the gateway has ended")
	case <-time.After(limit):
		t.Fatal("the gateway does not serve")
	}
	return "", end
}

// gateways are two gateways that NATS joins.
type gateways struct {
	addresses []string
	ends      []func()
	stopNATS  func()
}

func startGateways(t *testing.T) (all gateways) {
	t.Helper()
	t.Setenv("PARLEY_CLUSTER_SECRET", "a secret of all gateways")
	url, stopNATS := startNATS(t)
	backend := startBackend(t)
	for range 2 {
		address, end := startGateway(t, "--backend", backend, "--nats", url, "--cluster-listen", "127.0.0.1:0")
		all.addresses, all.ends = append(all.addresses, address), append(all.ends, end)
	}
	all.stopNATS = stopNATS
	return all
}

// talk sends messages over a stream, and cuts its link before every fifth.
func talk(t *testing.T, p *proxy, messages int) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	client := rpc.NewClient("ws://" + p.listener.Addr().String() + "/rpc")
	defer client.Close()
	stream, err := testgrpc.NewTestServiceClient(grpcparley.NewClientConn(client)).FullDuplexCall(ctx)
	if err != nil {
		return err
	}
	for i := range messages {
		if i%5 == 4 {
			p.cut()
		}
		want := fmt.Sprint("message ", i)
		if err := stream.Send(&testgrpc.StreamingOutputCallRequest{Payload: &testgrpc.Payload{Body: []byte(want)}}); err != nil {
			return err
		}
		res, err := stream.Recv()
		if err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
		if got := string(res.GetPayload().GetBody()); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("the end of the stream: %w", err)
	}
	return nil
}

func TestAStreamSurvivesLinksThatReturnOnTheOtherGateway(t *testing.T) {
	p := startProxy(t, startGateways(t).addresses...)
	if err := talk(t, p, 50); err != nil {
		t.Error(err)
	}
	if taken := p.counts(); min(taken[0], taken[1]) < 5 {
		t.Errorf("the gateways had %v connections", taken)
	}
}

func TestAStreamIsLostBetweenGatewaysThatAreAlone(t *testing.T) {
	backend := startBackend(t)
	first, _ := startGateway(t, "--backend", backend)
	second, _ := startGateway(t, "--backend", backend)
	p := startProxy(t, first, second)
	if err := talk(t, p, 50); status.Code(err) != codes.Unavailable {
		t.Errorf("the stream ends with %v", err)
	}
}

func TestNoCallFailsWhenAGatewayOfAClusterEnds(t *testing.T) {
	all := startGateways(t)
	client := rpc.NewClient("ws://"+all.addresses[0]+"/rpc", rpc.WithURLs("ws://"+all.addresses[1]+"/rpc"))
	defer client.Close()
	backend := testgrpc.NewTestServiceClient(grpcparley.NewClientConn(client))
	ended := make(chan struct{})
	for calls, after := 0, 0; after < 100; calls++ {
		if _, err := backend.EmptyCall(t.Context(), new(testgrpc.Empty)); err != nil {
			t.Fatalf("call %d: %v", calls, err)
		}
		if calls == 100 {
			go func() { defer close(ended); all.ends[0]() }()
		}
		select {
		case <-ended:
			after++
		default:
		}
	}
}

func TestHealthOfAGatewayShowsThatNATSIsAway(t *testing.T) {
	all := startGateways(t)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	web := http.Client{Transport: transport, Timeout: limit}
	ask := func(query string) int {
		res, err := web.Get("http://" + all.addresses[0] + "/healthz" + query)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res.StatusCode
	}
	if code := ask("?service=cluster"); code != http.StatusOK {
		t.Errorf("the cluster has %d", code)
	}
	all.stopNATS()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); ask("?service=cluster") != http.StatusServiceUnavailable; <-tick.C {
		if time.Now().After(end) {
			t.Fatal("the health does not show it")
		}
	}
	if code := ask(""); code != http.StatusOK {
		t.Errorf("the gateway has %d, although it serves", code)
	}
}
