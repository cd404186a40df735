package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// program is a command that runs until it is stopped.
type program struct {
	out   *bufio.Reader
	stop  context.CancelFunc
	ended chan error
}

// start runs a command as the program does.
func start(t *testing.T, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	p := &program{out: bufio.NewReader(out), ended: make(chan error, 1)}
	p.stop = func() {
		cancel()
		out.Close() // later output is discarded
	}
	go func() { p.ended <- run(ctx, args, in) }()
	return p
}

// end stops a program and waits for its end.
func (p *program) end(t *testing.T) {
	t.Helper()
	p.stop()
	if err := <-p.ended; err != nil {
		t.Error(err)
	}
}

// line reads a line that begins with want, and returns the rest.
func (p *program) line(t *testing.T, want string) string {
	t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	rest, ok := strings.CutPrefix(line, want)
	if !ok {
		t.Fatalf("printed %q, want %q", line, want)
	}
	return strings.TrimSpace(rest)
}

func TestHubCallsTheDevicesThatHaveDialedIt(t *testing.T) {
	hub := start(t, "hub", "-addr", "127.0.0.1:0")
	defer hub.end(t)
	url := hub.line(t, "serving ")
	for _, name := range []string{"kitchen", "attic"} {
		agent := start(t, "agent", "-url", url, "-name", name)
		defer agent.end(t)
		agent.line(t, "connected")

		var out bytes.Buffer
		if err := run(t.Context(), []string{"watch", "-url", url, "-name", name, "-every", "1ms", "-count", "3"}, &out); err != nil {
			t.Fatal(err)
		}
		if want := strings.ReplaceAll("NAME: reading 1: 24.2 °C\nNAME: reading 2: 24.5 °C\nNAME: reading 3: 20.7 °C\n", "NAME", name); out.String() != want {
			t.Errorf("got %q, want %q", &out, want)
		}
	}
	var out bytes.Buffer
	if err := run(t.Context(), []string{"list", "-url", url}, &out); err != nil {
		t.Fatal(err)
	}
	platform := runtime.GOOS + "/" + runtime.GOARCH
	var up [2]int
	n, err := fmt.Sscanf(out.String(), "attic: "+platform+", up for %d s\nkitchen: "+platform+", up for %d s\n", &up[0], &up[1])
	if n != 2 || err != nil {
		t.Errorf("listed %q: %v", &out, err)
	}
}

func TestDeviceReconnectsWhenTheHubReturns(t *testing.T) {
	hub := start(t, "hub", "-addr", "127.0.0.1:0")
	url := hub.line(t, "serving ")
	agent := start(t, "agent", "-url", url, "-name", "kitchen")
	defer agent.end(t)
	agent.line(t, "connected")
	hub.end(t)
	agent.line(t, "not connected: UNAVAILABLE")

	addr, _, _ := strings.Cut(strings.TrimPrefix(url, "ws://"), "/")
	hub = start(t, "hub", "-addr", addr)
	defer hub.end(t)
	hub.line(t, "serving ")
	for {
		line, err := agent.out.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "connected\n" {
			return
		}
		if !strings.HasPrefix(line, "not connected: UNAVAILABLE") {
			t.Fatalf("printed %q", line)
		}
	}
}

func TestDeviceGivesUpOnWhatIsNoHub(t *testing.T) {
	var out bytes.Buffer
	server := start(t, "hub", "-addr", "127.0.0.1:0")
	defer server.end(t)
	elsewhere := strings.Replace(server.line(t, "serving "), "/rpc", "/other", 1)
	if err := run(t.Context(), []string{"agent", "-url", elsewhere, "-name", "kitchen"}, &out); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("got %v, printed %q", err, &out)
	}
}

func TestAddressInUseEndsTheHub(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if err := run(t.Context(), []string{"hub", "-addr", taken.Addr().String()}, io.Discard); err == nil {
		t.Error("the hub runs where another server does")
	}
}

func TestUnknownCommandsShowTheUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"agent"}, {"watch"}, {"list", "-all"}} {
		var out bytes.Buffer
		if err := run(t.Context(), args, &out); err == nil || !strings.Contains(out.String(), usage) {
			t.Errorf("%q: error %v, printed %q", args, err, &out)
		}
	}
}
