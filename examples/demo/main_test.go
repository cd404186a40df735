package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.uber.org/goleak"

	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
)

// asProgram is the environment variable that makes the test's binary the
// program itself. The server that the program starts inherits it.
const asProgram = "PARLEY_TEST_AS_DEMO"

func TestMain(m *testing.M) {
	switch os.Getenv(asProgram) {
	case "yes":
		main()
	case "mute": // ends without output
	default:
		goleak.VerifyTestMain(m)
	}
}

// command is the program as a process to be started.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=yes", "GORACE=atexit_sleep_ms=0")
	return cmd
}

func TestDemoShowsAllStepsAndSucceeds(t *testing.T) {
	out, err := command(t).CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	for i, s := range steps {
		if title := fmt.Sprintf("%2d. %s\n", i+1, s.title); !strings.Contains(string(out), title) {
			t.Errorf("no %q in\n%s", title, out)
		}
	}
	if last := fmt.Sprintf("All %d steps went as they should", len(steps)); !strings.Contains(string(out), last) {
		t.Errorf("no %q in\n%s", last, out)
	}
}

func TestFailingStepIsExplainedAndExitsWithOne(t *testing.T) {
	mumble := func(context.Context, *pingv1.PingRequest) (*pingv1.PingResponse, error) {
		return &pingv1.PingResponse{Text: "what?"}, nil
	}
	var out, errs bytes.Buffer
	cmd := command(t, "client", listen(t, &faulty{ping: mumble}, nil))
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // the exit code has the result
	if code := cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit code %d", code)
	}
	if want := "demo: step 1 failed: expected the answer to be hello over there, got what?\n"; errs.String() != want {
		t.Errorf("printed %q, want %q", &errs, want)
	}
	if strings.Contains(out.String(), steps[1].title) {
		t.Errorf("went on after the failure:\n%s", &out)
	}
}

// startDemo starts the demo and waits until its server runs. Both processes
// hold standard error open.
func startDemo(t *testing.T) (cmd *exec.Cmd, serverPid int, stderr io.Reader) {
	t.Helper()
	cmd = command(t)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if stderr, err = cmd.StderrPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(line, "The server is process %d,", &serverPid); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return cmd, serverPid, stderr
}

func TestServerDoesNotOutliveAKilledDemo(t *testing.T) {
	cmd, _, stderr := startDemo(t)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(stderr); err != nil { // to the end of both, or for ever
		t.Fatal(err)
	}
	_ = cmd.Wait() // was killed
}

func TestServerThatCannotStartFailsTheDemo(t *testing.T) {
	t.Setenv(asProgram, "mute")
	var out bytes.Buffer
	if err := run(t.Context(), nil, nil, &out); err == nil || !strings.Contains(err.Error(), "the server did not say where it is") {
		t.Errorf("got %v, printed %q", err, &out)
	}
}

func TestServerEndsWithItsInput(t *testing.T) {
	in, parent := io.Pipe()
	stdout, out := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(t.Context(), []string{"server"}, in, out) }()
	url, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := client(t.Context(), strings.TrimSpace(url), io.Discard); err != nil {
		t.Error(err)
	}
	parent.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestUnknownCommandsShowTheUsage(t *testing.T) {
	for _, args := range [][]string{{"serve"}, {"client"}, {"server", "8080"}} {
		var out bytes.Buffer
		if err := run(t.Context(), args, nil, &out); err == nil || out.String() != usage {
			t.Errorf("%q: error %v, printed %q", args, err, &out)
		}
	}
}
