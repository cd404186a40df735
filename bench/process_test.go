package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/proc"
)

func TestFailureOfAProcessIsReported(t *testing.T) {
	_, err := drive.Run(t.Context(), drive.Job{Target: "parley", Workload: "nothing"})
	if err == nil {
		t.Error("a workload that there is not was run")
	}
}

func TestMeasurementEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := drive.Run(ctx, drive.Job{Target: "parley", Workload: "unary-1", Warmup: time.Hour, Scale: 1})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error is %v", err)
	}
}

func TestServerEndsWithTheStandardInputOfItsProcess(t *testing.T) {
	c, err := proc.Start(t.Context(), drive.Job{Target: "grpc-go", Workload: "unary-1", Serve: true})
	if err != nil {
		t.Fatal(err)
	}
	var hello struct{ Addr string }
	if err := c.Hear(&hello); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hello.Addr, "127.0.0.1:") {
		t.Errorf("it serves on %q", hello.Addr)
	}
	if err := c.End(); err != nil { // kills it if it does not end by itself, which is an error
		t.Error(err)
	}
}
