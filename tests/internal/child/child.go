// Package child runs a program of the tests as a child process of its own, so
// that it can be killed, or measured.
package child

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// Process is a child process.
type Process struct {
	// Ready is the line that the child printed first.
	Ready string

	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// Start runs this program again with an environment variable set, and waits for
// its first line. The child must end when its standard input does, so that it
// does not outlive a parent that was killed.
func Start(variable, value string) (*Process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return Run(exec.Command(program), variable, value)
}

// Run is like Start, but runs another program.
func Run(cmd *exec.Cmd, variable, value string) (*Process, error) {
	cmd.Env = append(os.Environ(), variable+"="+value)
	cmd.Stderr = os.Stderr
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
	p := &Process{cmd: cmd, in: in, out: bufio.NewReader(out)}
	line, err := p.out.ReadString('\n')
	if err != nil {
		p.Kill()
		return nil, fmt.Errorf("the child process did not say that it is ready: %w", err)
	}
	p.Ready = strings.TrimSpace(line)
	return p, nil
}

// PID is its process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Tell writes a line to its standard input.
func (p *Process) Tell(line string) { _, _ = io.WriteString(p.in, line+"\n") } // fails if it is gone already

// Ask writes a line to its standard input and returns the next line that it
// prints.
func (p *Process) Ask(line string) (string, error) {
	p.Tell(line)
	said, err := p.out.ReadString('\n')
	return strings.TrimSpace(said), err
}

// End closes the standard input, which ends the process, and returns what it
// prints until its end.
func (p *Process) End() string {
	_ = p.in.Close()             // fails if it is gone already
	said, _ := io.ReadAll(p.out) // up to its end
	_ = p.cmd.Wait()             // it has printed what went wrong
	return string(said)
}

// Abort kills the process, for another goroutine that waits in End.
func (p *Process) Abort() { _ = p.cmd.Process.Kill() } // fails if it is gone already

// Kill kills the process and waits until it has ended.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // fails if it is gone already
	_ = p.cmd.Wait()         // the error says that it was killed
	_ = p.in.Close()         // Wait has closed it
}
