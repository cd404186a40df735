package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if addr := os.Getenv(serveVariable); addr != "" {
		if err := serve(addr, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func TestNoMessageIsLostWhenLinksBreak(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), []string{"-cuts", "40", "-kills", "0", "-clients", "8", "-most", "65536"}, &out)
	t.Log(out.String())
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "\nlost 0 duplicated 0 reordered 0\n"); n != 2 {
		t.Errorf("%d of 2 networks say that nothing was lost", n)
	}
}

func TestCallsEndAndTheClientReconnectsWhenTheServerIsKilled(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), []string{"-cuts", "0", "-kills", "2"}, &out)
	t.Log(out.String())
	if err != nil {
		t.Fatal(err)
	}
}
