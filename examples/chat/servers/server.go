package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"time"
)

const (
	// startTimeout is how long a server may take until it is ready.
	startTimeout = 20 * time.Second
	// restartDelay is how long after its end a server starts again.
	restartDelay = time.Second
)

// server is a server, which has a process most of the time.
type server struct {
	name     string
	addr     string // for nginx
	nodeAddr string // for the other servers
	nats     string // a URL
	secret   string
	out      io.Writer

	cmd   *exec.Cmd
	stdin io.Closer  // the process ends with it
	ended chan error // closed when the process has ended
}

// newServer returns a server on free ports of the loopback, without a process.
func newServer(number int, natsURL, secret string, out io.Writer) (*server, error) {
	s := &server{name: fmt.Sprintf("server %d", number), nats: natsURL, secret: secret, out: out}
	for _, addr := range []*string{&s.addr, &s.nodeAddr} {
		var err error
		if *addr, err = freeAddress("127.0.0.1"); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// start starts the process, and waits until it is ready.
func (s *server) start(ctx context.Context) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	s.cmd = exec.Command(program, "node", "-name", s.name, "-addr", s.addr, "-node-addr", s.nodeAddr, "-nats", s.nats)
	s.cmd.Env = append(os.Environ(), secretVariable+"="+s.secret, childVariable+"=1")
	s.cmd.Stderr = os.Stderr
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		return err
	}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	ready, ended := make(chan struct{}), make(chan error, 1)
	s.ended = ended
	go func() {
		if line, _ := bufio.NewReader(stdout).ReadString('\n'); line == readyLine+"\n" {
			close(ready)
		}
		ended <- s.cmd.Wait()
	}()
	timeout := time.NewTimer(startTimeout)
	defer timeout.Stop()
	select {
	case <-ready:
		fmt.Fprintf(s.out, "%s is process %d\n", s.name, s.cmd.Process.Pid)
		return nil
	case err := <-ended:
		ended <- err
		return fmt.Errorf("%s has ended before it was ready: %w", s.name, err)
	case <-timeout.C:
		s.stop()
		return fmt.Errorf("%s was not ready after %v", s.name, startTimeout)
	case <-ctx.Done():
		s.stop()
		return ctx.Err()
	}
}

// keep starts the server again whenever it has ended, until ctx ends.
func (s *server) keep(ctx context.Context) error {
	for {
		select {
		case err := <-s.ended:
			if ctx.Err() != nil {
				return nil // an interrupt of the terminal reaches all processes
			}
			fmt.Fprintf(s.out, "%s has ended (%s), and starts again\n", s.name, describe(err))
		case <-ctx.Done():
			s.stop()
			return nil
		}
		select {
		case <-time.After(restartDelay):
		case <-ctx.Done():
			return nil
		}
		if err := s.start(ctx); err != nil && ctx.Err() == nil {
			return err
		} else if err != nil {
			return nil
		}
	}
}

func describe(err error) string {
	if err == nil {
		return "as it was told"
	}
	return err.Error()
}

// stop ends the process.
func (s *server) stop() {
	_ = s.stdin.Close()
	kill := time.AfterFunc(5*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer kill.Stop()
	<-s.ended //nolint:errcheck // it was asked to
}

// freeAddress finds a free port of a host. The kernel must not give it to a
// client while its server restarts, so it is outside the range of ephemeral
// ports.
func freeAddress(host string) (string, error) {
	var err error
	for range 100 {
		addr := net.JoinHostPort(host, strconv.Itoa(10000+rand.IntN(20000))) //nolint:gosec // a port need not be secret
		if err = checkFree(addr); err == nil {
			return addr, nil
		}
	}
	return "", err
}

// checkFree returns an error if a server cannot listen on an address.
func checkFree(addr string) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	return ln.Close()
}
