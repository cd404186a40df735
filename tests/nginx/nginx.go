package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed nginx.conf
var template string

// nginx is a running nginx, with all its files in a folder of its own.
type nginx struct {
	dir  string
	addr string
	site site
	cmd  *exec.Cmd
}

// site is what a configuration says.
type site struct {
	server   string // address of the server behind
	timeout  int    // seconds
	shutdown int    // seconds
}

// start runs nginx on a free port of the loopback interface.
func start(ctx context.Context, s site) (*nginx, error) {
	dir, err := os.MkdirTemp("", "parley-nginx-")
	if err != nil {
		return nil, err
	}
	addr, err := freeAddress()
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	n := &nginx{dir: dir, addr: addr, site: s}
	if err := n.run(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return n, nil
}

// freeAddress finds a port that is free, and hopes that it stays so for a moment.
func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}

func (n *nginx) run(ctx context.Context) error {
	conf := strings.NewReplacer(
		"@dir@", n.dir,
		"@listen@", n.addr,
		"@server@", n.site.server,
		"@timeout@", strconv.Itoa(n.site.timeout),
		"@shutdown@", strconv.Itoa(n.site.shutdown),
	).Replace(template)
	if err := os.WriteFile(n.conf(), []byte(conf), 0o600); err != nil {
		return err
	}
	n.cmd = n.command("-g", "daemon off;")
	var said bytes.Buffer
	n.cmd.Stderr = &said
	if err := n.cmd.Start(); err != nil {
		return err
	}
	for { // it listens before it is ready to be asked
		conn, err := net.DialTimeout("tcp", n.addr, time.Second)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("nginx does not listen on %s: %s", n.addr, &said), n.cmd.Process.Kill())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (n *nginx) conf() string { return filepath.Join(n.dir, "nginx.conf") }

func (n *nginx) command(args ...string) *exec.Cmd {
	log := filepath.Join(n.dir, "error.log")
	return exec.Command("nginx", append([]string{"-p", n.dir, "-e", log, "-c", n.conf()}, args...)...)
}

// reload does what an administrator does after a change of the configuration.
func (n *nginx) reload() error {
	out, err := n.command("-s", "reload").CombinedOutput()
	if err != nil {
		return fmt.Errorf("nginx -s reload: %w: %s", err, out)
	}
	return nil
}

// workers returns the process ids of nginx's workers.
func (n *nginx) workers() ([]string, error) {
	pid := strconv.Itoa(n.cmd.Process.Pid)
	children, err := os.ReadFile(filepath.Join("/proc", pid, "task", pid, "children"))
	return strings.Fields(string(children)), err
}

// restart ends nginx and starts it again, on the same port, after a while.
func (n *nginx) restart(ctx context.Context, after time.Duration) error {
	if err := n.end(); err != nil {
		return err
	}
	pause(ctx, after)
	return n.run(ctx)
}

// stop ends nginx for good.
func (n *nginx) stop() error { return errors.Join(n.end(), os.RemoveAll(n.dir)) }

// end ends nginx, and its workers with it.
func (n *nginx) end() error {
	err := n.cmd.Process.Signal(syscall.SIGTERM) // at once; SIGQUIT would wait
	kill := time.AfterFunc(5*time.Second, func() { _ = n.cmd.Process.Kill() })
	defer kill.Stop()
	return errors.Join(err, n.cmd.Wait())
}
