// Package proc runs the halves of a measurement as child processes, and
// measures what a process uses.
package proc

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// variable is the environment variable with the job of a child.
const variable = "PARLEY_BENCH_CHILD"

// Job stores the job of this child process in job. It returns false if the
// process is not a child.
func Job(job any) (bool, error) {
	text, ok := os.LookupEnv(variable)
	if !ok {
		return false, nil
	}
	return true, json.Unmarshal([]byte(text), job)
}

// Child is a process that runs this same program.
type Child struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	unwatch func() bool
}

// Start starts a child. It is killed when ctx ends, and must end when its
// standard input does, so that it does not outlive a killed parent.
func Start(ctx context.Context, job any) (*Child, error) {
	return start(ctx, job, func(*exec.Cmd) {})
}

// StartApart is Start in a network namespace of the child's own, which fails
// where the system has none or does not allow it. The child must call
// SetUpNetwork, which may fail for the same reason.
func StartApart(ctx context.Context, job any) (*Child, error) { return start(ctx, job, isolate) }

func start(ctx context.Context, job any, adjust func(*exec.Cmd)) (*Child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), variable+"="+string(text))
	cmd.Stderr = os.Stderr
	adjust(cmd)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	kill := func() { _ = cmd.Process.Kill() } // fails if it is gone already
	return &Child{cmd: cmd, in: in, out: bufio.NewReader(out), unwatch: context.AfterFunc(ctx, kill)}, nil
}

// Tell sends the child a line.
func (c *Child) Tell(what any) error { return writeLine(c.in, what) }

// Hear returns the child's next line.
func (c *Child) Hear(what any) error { return readLine(c.out, what) }

// endTimeout is how long a child may take to end.
const endTimeout = 5 * time.Second

// End closes the child's standard input and waits until the child has ended. It
// returns an error if the child failed or had to be killed.
func (c *Child) End() error {
	_ = c.in.Close() // fails if it is gone already
	timer := time.AfterFunc(endTimeout, func() { _ = c.cmd.Process.Kill() })
	defer timer.Stop()
	_, _ = io.Copy(io.Discard, c.out) // up to its end; Wait must not come before
	defer c.unwatch()
	return c.cmd.Wait()
}

// Kill kills the child and waits until it has ended.
func (c *Child) Kill() {
	_ = c.cmd.Process.Kill() // fails if it is gone already
	_ = c.End()              // the error says that it was killed
}

// Orphaned returns when the parent has ended this child's standard input.
func Orphaned() { _, _ = io.Copy(io.Discard, os.Stdin) }

// Report sends the parent a line.
func Report(what any) error { return writeLine(os.Stdout, what) }

// Answer answers the parent's commands with do until standard input ends: then
// the process ends, and with it what it serves.
func Answer[C, R any](do func(C) R) error {
	for commands := json.NewDecoder(os.Stdin); ; {
		var c C
		err := commands.Decode(&c)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := Report(do(c)); err != nil {
			return err
		}
	}
}

func writeLine(w io.Writer, what any) error {
	line, err := json.Marshal(what)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

var errSilent = errors.New("proc: the child has ended without an answer")

func readLine(r *bufio.Reader, what any) error {
	line, err := r.ReadBytes('\n')
	if errors.Is(err, io.EOF) {
		return errSilent
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(line, what); err != nil {
		return fmt.Errorf("proc: a line of the child: %w: %q", err, line)
	}
	return nil
}
