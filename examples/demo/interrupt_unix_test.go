//go:build unix

package main

import (
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestInterruptedDemoTakesItsServerAlong(t *testing.T) {
	cmd, serverPid, stderr := startDemo(t)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(stderr) // to the end of both
	if err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the exit code has the result
	// Before that, the server may log a handshake that arrived while it closed.
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.HasSuffix("\n"+string(said), "\ndemo: interrupted\n") {
		t.Errorf("exit code %d: %s", code, said)
	}
	if err := syscall.Kill(serverPid, 0); err != syscall.ESRCH {
		t.Errorf("the server is still there: %v", err)
	}
}
