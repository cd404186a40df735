package main

import (
	"bytes"
	"fmt"
	"os"
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
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop")) // kept by http.DefaultClient
}

func TestManyConnectionsStayAliveAndCloseCleanly(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), []string{"-conns", "100", "-hold", "100ms"}, &out)
	t.Log(out.String())
	if err != nil {
		t.Fatal(err)
	}
}
