package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/examples/reverse/device"
	agentv1 "github.com/parley-rpc/parley/gen/parley/agent/v1"
	"github.com/parley-rpc/parley/gen/parley/agent/v1/agentv1parley"
	"github.com/parley-rpc/parley/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// limit is how long a test waits for what must come.
const limit = 20 * time.Second

// startNATS starts a NATS server and returns its URL.
func startNATS(t *testing.T) string {
	t.Helper()
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	go srv.Start()
	if !srv.ReadyForConnections(limit) {
		t.Fatal("the NATS server does not start")
	}
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	return srv.ClientURL()
}

// startHub runs a hub as the program does, and returns its URL. stop ends it.
func startHub(t *testing.T, nats string) (url string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"-addr", "127.0.0.1:0", "-nodes", "127.0.0.1:0", "-nats", nats}, in)
		in.CloseWithError(io.EOF)
		ended <- err
	}()
	stopped := false
	stop = func() {
		if cancel(); stopped {
			return
		}
		stopped = true
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(strings.TrimPrefix(line, "serving ")), stop
}

// connect connects a device to some hubs.
func connect(t *testing.T, name, url string, others ...string) {
	t.Helper()
	client := device.NewClient(url, name, rpc.WithURLs(others...))
	t.Cleanup(func() { _ = client.Close() })
	if _, err := client.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// operator returns a client of a hub.
func operator(t *testing.T, url string) agentv1parley.HubServiceClient {
	t.Helper()
	client := rpc.NewClient(url)
	t.Cleanup(func() { _ = client.Close() })
	return agentv1parley.NewHubServiceClient(client)
}

// read reads some readings of a device.
func read(ctx context.Context, hub agentv1parley.HubServiceClient, name string, count uint32) (n int, err error) {
	readings, err := hub.WatchAgent(ctx, &agentv1.WatchAgentRequest{
		Name: name, Watch: &agentv1.WatchRequest{IntervalMs: 1, Count: count},
	})
	if err != nil {
		return 0, err
	}
	for _, err := range readings.All() {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// eventually waits until the hubs know what they need to.
func eventually(t *testing.T, do func() error) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	var err error
	for end := time.Now().Add(limit); time.Now().Before(end); <-tick.C {
		if err = do(); err == nil {
			return
		}
	}
	t.Fatalf("after %v: %v", limit, err)
}

func TestAnOperatorOfAnyHubCallsADeviceOfAny(t *testing.T) {
	t.Setenv("HUB_SECRET", "known to all hubs")
	nats := startNATS(t)
	var urls []string
	for range 3 {
		url, _ := startHub(t, nats)
		urls = append(urls, url)
	}
	for i, name := range []string{"attic", "cellar", "kitchen"} {
		connect(t, name, urls[i])
	}
	for _, url := range urls {
		hub := operator(t, url)
		for _, name := range []string{"attic", "cellar", "kitchen"} {
			eventually(t, func() error {
				n, err := read(t.Context(), hub, name, 3)
				if err == nil && n != 3 {
					t.Errorf("%d readings of %s", n, name)
				}
				return err
			})
		}
		res, err := hub.ListAgents(t.Context(), &agentv1.ListAgentsRequest{})
		if err != nil || len(res.Agents) != 3 {
			t.Fatalf("listed %v, %v", res, err)
		}
		for i, name := range []string{"attic", "cellar", "kitchen"} {
			if a := res.Agents[i]; a.Name != name || a.Description == nil || a.Problem != "" {
				t.Errorf("listed %v as %s", a, name)
			}
		}
		if _, err := read(t.Context(), hub, "garage", 1); !errors.Is(err, rpc.CodeNotFound) {
			t.Errorf("a device that is not connected: %v", err)
		}
	}
}

func TestDevicesOfAHubThatEndsMoveToAnother(t *testing.T) {
	t.Setenv("HUB_SECRET", "known to all hubs")
	nats := startNATS(t)
	first, stop := startHub(t, nats)
	second, _ := startHub(t, nats)
	third, _ := startHub(t, nats)
	connect(t, "kitchen", first, second)
	hub := operator(t, third)
	eventually(t, func() error {
		_, err := read(t.Context(), hub, "kitchen", 1)
		return err
	})
	stop()
	eventually(t, func() error {
		_, err := read(t.Context(), hub, "kitchen", 1)
		return err
	})
}

func TestAHubWithoutASecretSaysSo(t *testing.T) {
	t.Setenv("HUB_SECRET", "")
	err := run(t.Context(), []string{"-addr", "127.0.0.1:0", "-nodes", "127.0.0.1:0", "-nats", startNATS(t)}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "set Secret") {
		t.Errorf("got %v", err)
	}
}
