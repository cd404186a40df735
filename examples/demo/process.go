package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// killAfter is how long the server may take to end when asked to.
const killAfter = 5 * time.Second

// process is the server's process.
type process struct {
	cmd *exec.Cmd
	in  io.Closer // the server ends when it is closed
	url string
}

// startServer runs this program as a server and waits until it accepts
// connections. It interrupts the server when ctx ends.
func startServer(ctx context.Context) (*process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, "server")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = killAfter
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
		return nil, fmt.Errorf("start the server: %w", err)
	}
	p := &process{cmd: cmd, in: in}
	if p.url, err = bufio.NewReader(out).ReadString('\n'); err != nil {
		return nil, errors.Join(fmt.Errorf("the server did not say where it is: %w", err), p.end())
	}
	p.url = strings.TrimSpace(p.url)
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// end ends the server and waits for its end.
func (p *process) end() error {
	_ = p.in.Close() // fails only if the server has ended already
	kill := time.AfterFunc(killAfter, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("the server ended with: %w", err)
	}
	return nil
}
