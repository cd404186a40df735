package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-rpc/parley/rpc"
)

var (
	helloMethod = &rpc.Method{Service: "test.Device", Name: "Hello"}
	countMethod = &rpc.Method{Service: "test.Device", Name: "Count", ServerStreams: true}
	sumMethod   = &rpc.Method{Service: "test.Device", Name: "Sum", ClientStreams: true}
	talkMethod  = &rpc.Method{Service: "test.Device", Name: "Talk", ClientStreams: true, ServerStreams: true}
	waitMethod  = &rpc.Method{Service: "test.Device", Name: "Wait"}
)

func deviceService(name string) *rpc.Service {
	return &rpc.Service{Name: "test.Device", Methods: []rpc.ServiceMethod{
		{Method: helloMethod, Handler: rpc.UnaryHandler(func(ctx context.Context, req *text) (*text, error) {
			call := rpc.FromContext(ctx)
			if err := errors.Join(call.SetHeader("greeting", name), call.SetTrailer("bye-bin", "\x00\xff")); err != nil {
				return nil, err
			}
			if req.Value == "fail" {
				return nil, rpc.Errorf(rpc.CodeAborted, "as asked").WithDetail(&text{Value: "detail"})
			}
			return &text{Value: name + ": " + req.Value + call.Header().Get("note") + call.Header().Get(clientKey)}, nil
		})},
		{Method: countMethod, Handler: rpc.ServerStreamHandler(func(_ context.Context, req *text, out rpc.Sender[text]) error {
			for _, c := range req.Value {
				if err := out.Send(&text{Value: string(c)}); err != nil {
					return err
				}
			}
			return nil
		})},
		{Method: sumMethod, Handler: rpc.ClientStreamHandler(func(_ context.Context, in rpc.Receiver[text]) (*text, error) {
			var all text
			for m, err := range in.All() {
				if err != nil {
					return nil, err
				}
				all.Value += m.Value
			}
			return &all, nil
		})},
		{Method: talkMethod, Handler: rpc.BidiHandler(func(_ context.Context, in rpc.Receiver[text], out rpc.Sender[text]) error {
			for m, err := range in.All() {
				if err != nil {
					return err
				}
				if err := out.Send(m); err != nil {
					return err
				}
			}
			return nil
		})},
		{Method: waitMethod, Handler: rpc.UnaryHandler(func(ctx context.Context, _ *text) (*text, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})},
	}}
}

// callAllKinds makes a call of each kind to a device.
func callAllKinds(t *testing.T, c rpc.Caller, name string) {
	t.Helper()
	ctx := t.Context()
	var header, trailer rpc.Metadata
	res, err := rpc.CallUnary[text, text](ctx, c, helloMethod, &text{Value: "hi"}, rpc.WithMetadata("note", "!"), rpc.ReadHeader(&header), rpc.ReadTrailer(&trailer))
	if err != nil || res.Value != name+": hi!" || header.Get("greeting") != name || trailer.Get("bye-bin") != "\x00\xff" {
		t.Errorf("unary: %q, %v, header %v, trailer %v", res.GetValue(), err, header, trailer)
	}
	_, err = rpc.CallUnary[text, text](ctx, c, helloMethod, &text{Value: "fail"}, rpc.ReadTrailer(&trailer))
	var failed *rpc.Error
	if !errors.As(err, &failed) || failed.Code() != rpc.CodeAborted || failed.Message() != "as asked" || len(failed.Details()) != 1 {
		t.Errorf("failed unary: %v", err)
	}
	in, err := rpc.CallServerStream[text, text](ctx, c, countMethod, &text{Value: "abc"})
	if err != nil {
		t.Fatal(err)
	}
	var got string
	for m, err := range in.All() {
		if err != nil {
			t.Error(err)
			break
		}
		got += m.Value
	}
	up, err := rpc.CallClientStream[text, text](ctx, c, sumMethod)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"x", "y", "z"} {
		if err := up.Send(&text{Value: s}); err != nil {
			t.Error(err)
		}
	}
	sum, err := up.CloseAndRecv()
	if got != "abc" || sum.GetValue() != "xyz" || err != nil {
		t.Errorf("streams: %q, %q, %v", got, sum.GetValue(), err)
	}
	talk, err := rpc.CallBidi[text, text](ctx, c, talkMethod)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		want := strings.Repeat(fmt.Sprint(i), 50_000)
		if err := talk.Send(&text{Value: want}); err != nil {
			t.Fatal(err)
		}
		if m, err := talk.Recv(); err != nil || m.Value != want {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	if err := talk.CloseSend(); err != nil {
		t.Error(err)
	}
	if _, err := talk.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("the end of the stream: %v", err)
	}
}

func TestAClientIsCalledFromEveryNode(t *testing.T) {
	nodes := startNodes(t, 3, nil)
	nodes[1].device(t, "device-42")
	for _, n := range nodes {
		callAllKinds(t, n.Client("device-42"), "device-42")
	}
	p, err := nodes[0].Lookup(t.Context(), "device-42")
	if err != nil || p.Node != nodes[1].ID() || p.NodeName != "node-1" || p.Detached {
		t.Errorf("the directory has %+v, %v", p, err)
	}
}

func TestDeadlineAndCancellationReachAClientOfAnotherNode(t *testing.T) {
	nodes := startNodes(t, 2, nil)
	nodes[1].device(t, "d")
	_, err := rpc.CallUnary[text, text](t.Context(), nodes[0].Client("d"), waitMethod, new(text), rpc.WithTimeout(50*time.Millisecond))
	if !errors.Is(err, rpc.CodeDeadlineExceeded) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := rpc.CallUnary[text, text](ctx, nodes[0].Client("d"), waitMethod, new(text)); !errors.Is(err, rpc.CodeCanceled) {
		t.Error(err)
	}
}

func TestAClientThatIsNotConnectedIsNotFound(t *testing.T) {
	nodes := startNodes(t, 2, nil)
	began := time.Now()
	_, err := rpc.CallUnary[text, text](t.Context(), nodes[0].Client("nobody"), helloMethod, new(text))
	if !errors.Is(err, rpc.CodeNotFound) || time.Since(began) > lookupTimeout/2 {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

func TestTheNewestConnectionOfAClientRemains(t *testing.T) {
	nodes := startNodes(t, 2, nil)
	older := nodes[0].device(t, "d")
	conn, err := older.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	call := make(chan error, 1)
	go func() {
		_, err := rpc.CallUnary[text, text](t.Context(), nodes[0].Client("d"), waitMethod, new(text))
		call <- err
	}()
	eventually(t, func() bool { return nodes[0].localConn("d").Stats().LocalStreams > 0 })
	nodes[1].device(t, "d")
	select {
	case <-conn.Done():
	case <-time.After(5 * time.Second):
		t.Fatal("the older connection has not ended")
	}
	if err := <-call; !errors.Is(err, rpc.CodeUnavailable) {
		t.Errorf("a call on the older connection, which its caller has not canceled: %v", err)
	}
	if p, err := nodes[0].Lookup(t.Context(), "d"); err != nil || p.Node != nodes[1].ID() {
		t.Errorf("the directory has %+v, %v", p, err)
	}
}

func TestASessionResumesOnAnyNodeOfTheCluster(t *testing.T) {
	nodes := startNodes(t, 3, nil)
	var turn atomic.Int64
	client := rpc.NewClient("ws://cluster/", rpc.WithHTTPHeader(http.Header{"Authorization": {"ada"}}),
		rpc.WithNetDial(func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			n := nodes[int(turn.Add(1)-1)%len(nodes)]
			return d.DialContext(ctx, network, n.clients.Listener.Addr().String())
		}))
	defer client.Close()
	began := who(t, client)
	for range 9 {
		for _, n := range nodes {
			n.clients.cut()
		}
		if again := who(t, client); again != began {
			t.Errorf("served by %q, before by %q", again, began)
		}
	}
}

func TestASessionOfANodeThatIsGoneIsUnknownAtOnce(t *testing.T) {
	nodes := startNodes(t, 2, nil)
	var at atomic.Int64
	client := rpc.NewClient("ws://cluster/", rpc.WithHTTPHeader(http.Header{"Authorization": {"ada"}}),
		rpc.WithNetDial(func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, nodes[at.Load()].clients.Listener.Addr().String())
		}))
	defer client.Close()
	who(t, client)
	at.Store(1)
	nodes[0].Close()
	eventually(t, func() bool { return len(nodes[1].Nodes()) == 0 })
	nodes[0].clients.cut()
	began := time.Now()
	_, _ = rpc.CallUnary[text, text](t.Context(), client, whoMethod, new(text)) // it may be lost with the session
	if got := who(t, client); got != "node-1" || time.Since(began) > time.Second {
		t.Errorf("served by %q after %v", got, time.Since(began))
	}
}

func TestShutdownMovesTheClientsOfANode(t *testing.T) {
	nodes := startNodes(t, 2, nil)
	var at atomic.Int64
	client := rpc.NewClient("ws://cluster/", rpc.WithHTTPHeader(http.Header{"Authorization": {"ada"}}),
		rpc.WithNetDial(func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, nodes[at.Load()].clients.Listener.Addr().String())
		}))
	defer client.Close()
	who(t, client)
	at.Store(1)
	down := make(chan error, 1)
	go func() { down <- nodes[0].Shutdown(t.Context()) }()
	for done := false; !done; {
		who(t, client) // no call fails
		select {
		case err := <-down:
			if err != nil {
				t.Error(err)
			}
			done = true
		default:
		}
	}
	if got := who(t, client); got != "node-1" {
		t.Errorf("served by %q", got)
	}
	eventually(t, func() bool { return len(nodes[1].Nodes()) == 0 })
}

func TestNodesServeEachOther(t *testing.T) {
	nodes := startNodes(t, 2, nil)
	nodes[1].Register(deviceService("node-1"))
	to, err := nodes[0].NodeCaller(nodes[1].ID())
	if err != nil {
		t.Fatal(err)
	}
	callAllKinds(t, to, "node-1")
	if _, err := rpc.CallUnary[text, text](t.Context(), to, whoMethod, new(text)); !errors.Is(err, rpc.CodeUnimplemented) {
		t.Error(err)
	}
	if _, err := nodes[0].NodeCaller(NodeID{1}); !errors.Is(err, rpc.CodeUnavailable) {
		t.Error(err)
	}
}

func TestWhoIsNoNodeIsRefused(t *testing.T) {
	nodes := startNodes(t, 1, nil)
	for _, secret := range []string{"", "Bearer " + testSecret + "x", testSecret} {
		_, err := rpc.Dial(t.Context(), nodes[0].inner.url(), rpc.WithHTTPHeader(http.Header{"Authorization": {secret}}))
		if !errors.Is(err, rpc.CodeUnauthenticated) {
			t.Errorf("%q: %v", secret, err)
		}
	}
}

func TestOneProcessNeedsNoBus(t *testing.T) {
	nodes := startNodes(t, 1, func(c *Config) { *c = Config{} })
	client := nodes[0].device(t, "d")
	callAllKinds(t, nodes[0].Client("d"), "d")
	if p, err := nodes[0].Lookup(t.Context(), "d"); err != nil || p.Client != "d" {
		t.Errorf("the directory has %+v, %v", p, err)
	}
	_ = client.Close()
	eventually(t, func() bool {
		_, err := nodes[0].Lookup(t.Context(), "d")
		return errors.Is(err, rpc.CodeNotFound)
	})
}

func TestInvalidConfigIsRefused(t *testing.T) {
	for want, c := range map[string]Config{
		"Credentials: set Secret": {Bus: NewMemoryBus()},
		"too short":               {Bus: NewMemoryBus(), Credentials: Credentials{Secret: "short"}},
		"Advertise":               {Advertise: "ws://x"},
		"MaxRelays":               {MaxRelays: -1},
		"a b.nodes":               {Bus: NewMemoryBus(), Prefix: "a b", Credentials: Credentials{Secret: testSecret}},
	} {
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
