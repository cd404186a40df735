package main

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/bench/internal/proc"
)

// TestMain lets the test's program play the parts of its child processes.
func TestMain(m *testing.M) {
	if isChild, err := child(); isChild {
		proc.Exit("child", err)
	}
	goleak.VerifyTestMain(m)
}

func TestEveryFigureIsMeasured(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	folder := t.TempDir()
	var out strings.Builder
	err := run(ctx, []string{"-rounds", "1", "-time", "50ms", "-clients", "30", "-out", folder}, &out, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(folder + "/" + pageName)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range new(figures).rows() {
		t.Errorf("%q has no values, and is a row", r.what)
	}
	for _, what := range []string{
		"on another node: p50, of one on this node", "on another node: 64 in flight", "through a relay: a stream",
		"of the same without ext/cluster", "topic, 300 subscribers", "100,000 deliveries/s: p99", "idle client at NATS",
		"messages of NATS",
	} {
		if !strings.Contains(string(page), what) || !strings.Contains(out.String(), what) {
			t.Errorf("%q is missing in\n%s", what, out.String())
		}
	}
	if strings.Contains(out.String(), " 0.00 (0.00 .. 0.00) calls/s") || strings.Contains(out.String(), " 0.00 (0.00 .. 0.00) messages/s") {
		t.Errorf("nothing happened:\n%s", out.String())
	}
}

func TestAWrongArgumentIsNamed(t *testing.T) {
	for args, want := range map[string]string{
		"-rounds 0": "-rounds", "-time 0s": "-time", "-clients 0": "-clients", "-only nothing": `"nothing"`, "calls": `"calls"`,
	} {
		if err := run(t.Context(), strings.Fields(args), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", args, err)
		}
	}
}
