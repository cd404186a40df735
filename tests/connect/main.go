// Command connect runs the conformance tests of Connect
// (connectrpc.com/conformance) against a rpc.Server behind ext/connect: the
// protocols of Connect, gRPC and gRPC-Web, over HTTP/1.1 and HTTP/2, with and
// without TLS. No test is known to fail; known-flaky.txt names those that depend
// on which end's clock is first, and why. The runner prints how many tests have
// passed and failed. It starts this program again as the server under test.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// variable is the environment variable with the folder of the .proto files. It
// is set for the server under test.
const variable = "PARLEY_CONNECT_PROTOS"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	work := runTests
	if os.Getenv(variable) != "" {
		work = serveTests
	}
	if err := work(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "connect:", err)
		os.Exit(1) //nolint:gocritic // stop only restores what a signal does
	}
}

// modFile is the flag with the module that pins the runner.
const modFile = "-modfile=testdata/runner/go.mod"

// runTests runs the runner.
func runTests(ctx context.Context) error {
	runner, err := output(ctx, "go", "tool", modFile, "-n", "connectconformance")
	if err != nil {
		return err
	}
	module, err := output(ctx, "go", "list", modFile, "-m", "-f", "{{.Dir}}", "connectrpc.com/conformance")
	if err != nil {
		return err
	}
	own, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, runner, "--mode", "server", "--conf", "config.yaml", "--known-flaky", "@known-flaky.txt",
		"--parallel", fmt.Sprint(runtime.GOMAXPROCS(0)), "--", own) // some cases measure time
	cmd.Env = append(os.Environ(), variable+"="+filepath.Join(module, "proto"))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

// output returns the line that a command prints, outside of go.work.
func output(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
