package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// aheadVariable is the environment variable that says that server and clients
// run ahead of all else, or that they may not.
const aheadVariable = "PARLEY_ATTACK_AHEAD"

// goAhead has server and clients run ahead of the attackers, which would not
// take the server's CPU on their own machines. It executes the program again
// with real-time priority, and returns nil there. Idle priority of the attackers
// is not enough: a thread that is woken may still wait for one of theirs for a
// whole tick of 4 ms.
func goAhead() error {
	if _, done := os.LookupEnv(aheadVariable); done {
		return nil
	}
	refused, err := exec.Command("chrt", "--rr", "1", "true").CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "attack: run it as root: without real-time priority, calls wait for attackers (%v: %s)\n", err, bytes.TrimSpace(refused))
		return os.Setenv(aheadVariable, "no")
	}
	if err := os.Setenv(aheadVariable, "yes"); err != nil {
		return err
	}
	chrt, err := exec.LookPath("chrt")
	if err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	args := append([]string{chrt, "--rr", "1", program}, os.Args[1:]...)
	return fmt.Errorf("%s: %w", chrt, syscall.Exec(chrt, args, os.Environ()))
}

// behind is the command that runs a program on processors that nothing else
// wants.
func behind(program string) *exec.Cmd { return exec.Command("chrt", "--idle", "0", program) }
