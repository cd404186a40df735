package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/tests/internal/child"
	"github.com/parley-rpc/parley/transport"
)

func TestMain(m *testing.M) {
	if err := asChild(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// What it does to others is for `make attack`: here other tests run beside.
func TestFloodsAreEndedByTheServer(t *testing.T) {
	for _, a := range attacks {
		if a.name != "rapid-reset" && a.name != "ping-flood" {
			continue
		}
		t.Run(a.name, func(t *testing.T) {
			server, err := child.Start(serveVariable, "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer server.Kill()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err = a.once(ctx, server.Ready, new(tally))
			var closed *transport.CloseError
			if !errors.As(err, &closed) || !closed.Remote || closed.Code != 4008 {
				t.Errorf("the connection ended with %v, want close code 4008", err)
			}
		})
	}
}
