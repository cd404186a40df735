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
	"strings"
	"syscall"
	"time"
)

//go:embed nginx.conf
var template string

// nginx is a running nginx with its own folder for all its files.
type nginx struct {
	dir  string
	addr string
	cmd  *exec.Cmd
	said bytes.Buffer
}

// proxy runs nginx in front of servers. balance is a directive, or "" for round
// robin.
func (s *settings) proxy(ctx context.Context, balance string, servers []string) (*nginx, error) {
	dir, err := os.MkdirTemp("", "parley-deploy-")
	if err != nil {
		return nil, err
	}
	n := &nginx{dir: dir}
	if n.addr, err = freeAddress(s.rand); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := n.run(ctx, balance, servers); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return n, nil
}

func (n *nginx) run(ctx context.Context, balance string, servers []string) error {
	names := []string{"@dir@", n.dir, "@listen@", n.addr, "@balance@", balance}
	for i, addr := range servers {
		names = append(names, fmt.Sprintf("@server%d@", i), addr)
	}
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
		conn, err := net.DialTimeout("tcp", n.addr, time.Second)
		if err == nil {
			return conn.Close()
		}
		if pause(ctx, 20*time.Millisecond) != nil {
			return errors.Join(fmt.Errorf("nginx does not listen on %s", n.addr), n.end())
		}
	}
}

// stop ends nginx for good.
func (n *nginx) stop() error { return errors.Join(n.end(), os.RemoveAll(n.dir)) }

func (n *nginx) end() error {
	err := n.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(5*time.Second, func() { _ = n.cmd.Process.Kill() })
	defer kill.Stop()
	if ended := n.cmd.Wait(); ended != nil {
		err = errors.Join(err, fmt.Errorf("nginx: %w: %s", ended, &n.said))
	}
	return err
}
