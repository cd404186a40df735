// Package balancer runs nginx or HAProxy in front of servers.
package balancer

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

var (
	//go:embed nginx.conf
	nginxConf string
	//go:embed haproxy.cfg
	haproxyConf string
)

// Program is what balances.
type Program struct {
	name   string
	conf   string // a template of the configuration
	server string // the line of a server in it
	run    func(dir, conf string) []string
}

// The programs. Debian has packages of these names. Neither is sticky by itself.
var (
	Nginx = &Program{
		name: "nginx", conf: nginxConf,
		server: "server  @addr@  max_fails=0;\n        ",
		run: func(dir, conf string) []string {
			return []string{"-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", conf, "-g", "daemon off;"}
		},
	}
	HAProxy = &Program{
		name: "haproxy", conf: haproxyConf,
		server: "server  @addr@  @addr@\n    ",
		run:    func(_, conf string) []string { return []string{"-db", "-f", conf} },
	}
)

// Named returns the program with a name.
func Named(name string) (*Program, error) {
	for _, p := range []*Program{Nginx, HAProxy} {
		if p.name == name {
			return p, nil
		}
	}
	return nil, fmt.Errorf("there is no balancer %q: use nginx or haproxy", name)
}

// Version returns the first line of what the program says of itself. An error
// says that it is not installed.
func (p *Program) Version() (string, error) {
	version, err := exec.Command(p.name, "-v").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s is not there: %w", p.name, err)
	}
	first, _, _ := strings.Cut(string(version), "\n")
	return first, nil
}

// Process is a running balancer with its own folder for all its files.
type Process struct {
	// Addr is where it listens.
	Addr string

	program *Program
	dir     string
	cmd     *exec.Cmd
	said    bytes.Buffer
}

// Start runs the program at an address in front of servers, and returns when it
// listens. rule is a directive of its own for how it balances, or "" for round
// robin.
func (p *Program) Start(ctx context.Context, addr, rule string, servers []string) (*Process, error) {
	dir, err := os.MkdirTemp("", "parley-balancer-")
	if err != nil {
		return nil, err
	}
	b := &Process{Addr: addr, program: p, dir: dir}
	if err := b.run(ctx, rule, servers); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return b, nil
}

func (b *Process) run(ctx context.Context, rule string, servers []string) error {
	var lines strings.Builder
	for _, addr := range servers {
		lines.WriteString(strings.ReplaceAll(b.program.server, "@addr@", addr))
	}
	names := []string{"@dir@", b.dir, "@listen@", b.Addr, "@balance@", rule, "@servers@", strings.TrimSpace(lines.String())}
	conf := filepath.Join(b.dir, "conf")
	if err := os.WriteFile(conf, []byte(strings.NewReplacer(names...).Replace(b.program.conf)), 0o600); err != nil {
		return err
	}
	b.cmd = exec.Command(b.program.name, b.program.run(b.dir, conf)...)
	b.cmd.Stderr = &b.said
	if err := b.cmd.Start(); err != nil {
		return err
	}
	for {
		conn, err := net.DialTimeout("tcp", b.Addr, time.Second)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s does not listen on %s", b.program.name, b.Addr), b.end())
		}
	}
}

// Stop ends the program for good.
func (b *Process) Stop() error { return errors.Join(b.end(), os.RemoveAll(b.dir)) }

func (b *Process) end() error {
	err := b.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(5*time.Second, func() { _ = b.cmd.Process.Kill() })
	defer kill.Stop()
	ended := b.cmd.Wait()
	if status, ok := b.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGTERM {
		return err // as HAProxy ends
	}
	if ended != nil {
		err = errors.Join(err, fmt.Errorf("%s: %w: %s", b.program.name, ended, &b.said))
	}
	return err
}
