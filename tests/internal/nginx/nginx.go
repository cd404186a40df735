// Package nginx runs nginx in front of servers.
package nginx

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
	"strings"
	"syscall"
	"time"
)

//go:embed nginx.conf
var template string

// Process is a running nginx with its own folder for all its files.
type Process struct {
	// Addr is where it listens.
	Addr string

	dir  string
	cmd  *exec.Cmd
	said bytes.Buffer
}

// Start runs nginx at an address in front of servers, and returns when it
// listens. balance is a directive, or "" for round robin.
func Start(ctx context.Context, addr, balance string, servers []string) (*Process, error) {
	dir, err := os.MkdirTemp("", "parley-nginx-")
	if err != nil {
		return nil, err
	}
	n := &Process{Addr: addr, dir: dir}
	if err := n.run(ctx, balance, servers); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return n, nil
}

// Version returns what nginx says of itself. An error says that it is not
// installed.
func Version() (string, error) {
	version, err := exec.Command("nginx", "-v").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("nginx is not there: %w", err)
	}
	return strings.TrimSpace(string(version)), nil
}

func (n *Process) run(ctx context.Context, balance string, servers []string) error {
	names := []string{"@dir@", n.dir, "@listen@", n.Addr, "@balance@", balance}
	var upstream strings.Builder
	for _, addr := range servers {
		fmt.Fprintf(&upstream, "server  %s  max_fails=0;\n        ", addr)
	}
	names = append(names, "@servers@", strings.TrimSpace(upstream.String()))
	conf := filepath.Join(n.dir, "nginx.conf")
	if err := os.WriteFile(conf, []byte(strings.NewReplacer(names...).Replace(template)), 0o600); err != nil {
		return err
	}
	n.cmd = exec.Command("nginx", "-p", n.dir, "-e", filepath.Join(n.dir, "error.log"), "-c", conf, "-g", "daemon off;")
	n.cmd.Stderr = &n.said
	if err := n.cmd.Start(); err != nil {
		return err
	}
	for {
		conn, err := net.DialTimeout("tcp", n.Addr, time.Second)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("nginx does not listen on %s", n.Addr), n.end())
		}
	}
}

// Stop ends nginx for good.
func (n *Process) Stop() error { return errors.Join(n.end(), os.RemoveAll(n.dir)) }

func (n *Process) end() error {
	err := n.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(5*time.Second, func() { _ = n.cmd.Process.Kill() })
	defer kill.Stop()
	if ended := n.cmd.Wait(); ended != nil {
		err = errors.Join(err, fmt.Errorf("nginx: %w: %s", ended, &n.said))
	}
	return err
}
