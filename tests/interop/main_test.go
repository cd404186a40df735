package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"github.com/parley-rpc/parley/rpc"
)

// broken is a case that fails in all ways.
var broken = testCase{
	name: "broken",
	stubs: func(context.Context, channels[grpc.ClientConnInterface]) {
		exit(errors.New("stubs are broken on purpose"))
	},
	native: func(context.Context, channels[rpc.Caller]) error {
		return errors.New("the native case is broken on purpose")
	},
}

// idle is a case that makes no call, so that no link of it is cut.
var idle = testCase{
	name:   "idle",
	stubs:  func(context.Context, channels[grpc.ClientConnInterface]) {},
	native: func(context.Context, channels[rpc.Caller]) error { return nil },
}

// The processes of the cases run this program again. With the race detector,
// each would wait for a second before it exits.
func TestMain(m *testing.M) {
	if which := os.Getenv(variable); which != "" {
		exit(child(context.Background(), which, append(cases, broken, idle)))
	}
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

func TestAllCasesPassInAllArrangements(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), &out, cases); err != nil || !strings.HasSuffix(out.String(), "\n72 passed, 0 failed\n") {
		t.Errorf("%v\n%s", err, &out)
	}
}

func TestWhatFailsIsCountedAndShown(t *testing.T) {
	var out strings.Builder
	err := run(t.Context(), &out, []testCase{cases[0], broken, idle})
	if err == nil || !strings.HasSuffix(out.String(), "\n7 passed, 5 failed\n") {
		t.Errorf("%v\n%s", err, &out)
	}
	for _, says := range []string{
		"broken, proxy: exit status 1\ninterop: stubs are broken on purpose",
		"broken, parley-grpc: exit status 1\ninterop: the native case is broken on purpose",
		"idle, cut: exit status 1\ninterop: no link was cut",
	} {
		if !strings.Contains(out.String(), says) {
			t.Errorf("%s\ndoes not say %q", &out, says)
		}
	}
}

func TestAProcessWithoutACaseFails(t *testing.T) {
	if err := child(t.Context(), "nowhere/nothing", cases); err == nil {
		t.Error("it has run")
	}
}
