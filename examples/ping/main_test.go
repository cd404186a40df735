package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs the server as the program does and returns its URL.
func start(t *testing.T) (url string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"server", "-addr", "127.0.0.1:0"}, in) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(strings.TrimPrefix(line, "serving "))
}

func TestClientMakesAllFourKindsOfCall(t *testing.T) {
	url := start(t)
	var out bytes.Buffer
	if err := run(t.Context(), []string{"client", "-url", url}, &out); err != nil {
		t.Fatal(err)
	}
	const want = `Ping: hello
CountUp: 1
CountUp: 2
CountUp: 3
Sum: 4 numbers make 6
CumSum: after 0 it is 0
CumSum: after 1 it is 1
CumSum: after 2 it is 3
CumSum: after 3 it is 6
Ping: NOT_FOUND: failing as asked
Ping: a hint: leave fail_code out
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}

func TestClientWithoutServerFailsAndSaysWhy(t *testing.T) {
	err := run(t.Context(), []string{"client", "-url", "ws://127.0.0.1:1/rpc"}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("got %v", err)
	}
}

func TestUnknownCommandsShowTheUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"serve"}, {"server", "-port", "1"}} {
		var out bytes.Buffer
		if err := run(t.Context(), args, &out); err == nil || !strings.Contains(out.String(), usage) {
			t.Errorf("%q: error %v, printed %q", args, err, &out)
		}
	}
}
