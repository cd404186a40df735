package hub

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	agentv1 "github.com/parley-rpc/parley/gen/parley/agent/v1"
	"github.com/parley-rpc/parley/gen/parley/agent/v1/agentv1parley"
	"github.com/parley-rpc/parley/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start starts a hub and returns its URL.
func start(t *testing.T) (url string) {
	t.Helper()
	srv := NewServer()
	web := httptest.NewServer(srv)
	t.Cleanup(func() {
		srv.Close()
		web.Close()
	})
	return web.URL
}

// dial connects a device that serves agent, or an operator if agent is nil.
func dial(t *testing.T, url, name string, agent agentv1parley.AgentServiceServer) *rpc.Conn {
	t.Helper()
	var opts []rpc.ClientOption
	if agent != nil {
		services := rpc.NewMux()
		agentv1parley.RegisterAgentServiceServer(services, agent)
		opts = append(opts, rpc.WithServices(services), rpc.WithHTTPHeader(http.Header{NameHeader: {name}}))
	}
	conn, err := rpc.Dial(t.Context(), url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// listener is a device that reports its Watch calls.
type listener struct {
	agentv1parley.UnimplementedAgentServiceServer
	asked chan *agentv1.WatchRequest
	ended chan error // why the hub's call has ended
}

func newListener() *listener {
	return &listener{asked: make(chan *agentv1.WatchRequest, 1), ended: make(chan error, 1)}
}

func (l *listener) Watch(ctx context.Context, req *agentv1.WatchRequest, out rpc.Sender[agentv1.WatchResponse]) error {
	l.asked <- req
	if err := out.Send(&agentv1.WatchResponse{Reading: &agentv1.Reading{Number: 1}}); err != nil {
		return err
	}
	<-ctx.Done()
	l.ended <- ctx.Err()
	return ctx.Err()
}

func TestLeavingOperatorEndsTheCallOfTheDevice(t *testing.T) {
	url := start(t)
	device := newListener()
	dial(t, url, "oven", device)
	operator := agentv1parley.NewHubServiceClient(dial(t, url, "", nil))
	readings, err := operator.WatchAgent(t.Context(), &agentv1.WatchAgentRequest{
		Name: "oven", Watch: &agentv1.WatchRequest{IntervalMs: 7},
	})
	if err != nil {
		t.Fatal(err)
	}
	for r, err := range readings.All() {
		if err != nil || r.Reading.Number != 1 {
			t.Fatalf("%v, %v", r, err)
		}
		break
	}
	if req := <-device.asked; req.IntervalMs != 7 {
		t.Errorf("the device was asked for %v", req)
	}
	if err := <-device.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the device's call ended with %v", err)
	}
}

func TestDeadlineOfTheOperatorReachesTheDevice(t *testing.T) {
	url := start(t)
	device := newListener()
	dial(t, url, "oven", device)
	operator := agentv1parley.NewHubServiceClient(dial(t, url, "", nil))
	readings, err := operator.WatchAgent(t.Context(), &agentv1.WatchAgentRequest{Name: "oven"}, rpc.WithTimeout(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = readings.Recv()
	}
	if !errors.Is(err, rpc.CodeDeadlineExceeded) {
		t.Errorf("the operator's call ended with %v", err)
	}
	<-device.asked
	<-device.ended // either the deadline itself or the hub's cancel comes first
}

func TestDeviceThatConnectsLaterIsWaitedFor(t *testing.T) {
	url := start(t)
	operator := agentv1parley.NewHubServiceClient(dial(t, url, "", nil))
	readings, err := operator.WatchAgent(t.Context(), &agentv1.WatchAgentRequest{Name: "oven"})
	if err != nil {
		t.Fatal(err)
	}
	defer readings.Close()
	dial(t, url, "oven", newListener())
	if r, err := readings.Recv(); err != nil || r.Reading.Number != 1 {
		t.Errorf("%v, %v", r, err)
	}
}

func TestLostDeviceEndsTheCallOfTheOperator(t *testing.T) {
	url := start(t)
	conn := dial(t, url, "oven", newListener())
	operator := agentv1parley.NewHubServiceClient(dial(t, url, "", nil))
	readings, err := operator.WatchAgent(t.Context(), &agentv1.WatchAgentRequest{Name: "oven"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readings.Recv(); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if _, err := readings.Recv(); !errors.Is(err, rpc.CodeCanceled) {
		t.Errorf("got %v", err)
	}
}

func TestNewConnectionOfADeviceReplacesTheOld(t *testing.T) {
	url := start(t)
	operator := agentv1parley.NewHubServiceClient(dial(t, url, "", nil))
	watch := func(device *listener) {
		readings, err := operator.WatchAgent(t.Context(), &agentv1.WatchAgentRequest{Name: "oven"})
		if err != nil {
			t.Fatal(err)
		}
		defer readings.Close()
		if _, err := readings.Recv(); err != nil {
			t.Fatal(err)
		}
		<-device.asked
	}
	first, second := newListener(), newListener()
	old := dial(t, url, "oven", first)
	watch(first) // now the hub knows the device
	dial(t, url, "oven", second)
	<-old.Done()
	watch(second)
}

func TestSilentDevicesAreListedWithTheReason(t *testing.T) {
	url := start(t)
	dial(t, url, "oven", newListener()) // has no Describe
	operator := agentv1parley.NewHubServiceClient(dial(t, url, "", nil))
	var res *agentv1.ListAgentsResponse
	for len(res.GetAgents()) == 0 { // until the hub has seen it
		var err error
		if res, err = operator.ListAgents(t.Context(), &agentv1.ListAgentsRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	if a := res.Agents[0]; a.Name != "oven" || a.Description != nil || a.Problem == "" {
		t.Errorf("got %v", a)
	}
}

func TestUnknownDevicesAreNotFoundAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &Hub{changed: make(chan struct{})}
		begin := time.Now()
		if _, err := h.find(t.Context(), "oven"); !errors.Is(err, rpc.CodeNotFound) {
			t.Errorf("got %v", err)
		}
		if waited := time.Since(begin); waited != reconnectTimeout {
			t.Errorf("waited for %v", waited)
		}
	})
}
