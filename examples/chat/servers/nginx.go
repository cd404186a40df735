package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// nginxSite is what docs/cluster.md shows. nginxAround is the rest.
var (
	//go:embed deploy/nginx.conf
	nginxSite string
	//go:embed nginx.conf
	nginxAround string
)

// What is replaced in nginxSite.
var (
	nginxListen  = regexp.MustCompile(`(?m)^ +listen .*$`)
	nginxServers = regexp.MustCompile(`(?m)(^ +server +[0-9].*\n)+`)
)

// nginxPrograms are where nginx may be. Debian has it in a folder that is not in
// the path of users.
var nginxPrograms = []string{"nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx"}

// findNginx returns the first of some programs that there is.
func findNginx(programs []string) (string, error) {
	for _, name := range programs {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("nginx is not installed: install it with `apt-get install nginx-light` or `brew install nginx`, or use `make chat` for one server, which needs none")
}

// nginx is a running nginx, with its own folder for all its files.
type nginx struct {
	addr  string
	cmd   *exec.Cmd
	ended chan error
}

// startNginx runs nginx on an address in front of servers. Port 0 is a free one.
func startNginx(ctx context.Context, program, dir, addr string, servers []*server) (*nginx, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	n := &nginx{addr: addr, ended: make(chan error, 1)}
	if port == "0" {
		if n.addr, err = freeAddress(host); err != nil {
			return nil, err
		}
	} else if err := checkFree(addr); err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, []byte(nginxConfig(n.addr, servers)), 0o600); err != nil {
		return nil, err
	}
	n.cmd = exec.Command(program, "-p", dir, "-e", "stderr", "-c", conf)
	n.cmd.Stderr = os.Stderr
	if err := n.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { n.ended <- n.cmd.Wait() }()
	return n, n.wait(ctx)
}

// nginxConfig returns the configuration for an address and servers.
func nginxConfig(addr string, servers []*server) string {
	listen := addr
	if strings.HasPrefix(addr, ":") {
		listen = "*" + addr
	}
	var upstream strings.Builder
	for _, s := range servers {
		fmt.Fprintf(&upstream, "server %s max_fails=0;\n", s.addr)
	}
	site := nginxListen.ReplaceAllLiteralString(nginxSite, "listen "+listen+";")
	site = nginxServers.ReplaceAllLiteralString(site, upstream.String())
	return strings.Replace(nginxAround, "@site@", site, 1)
}

// wait waits until nginx listens.
func (n *nginx) wait(ctx context.Context) error {
	for {
		conn, err := net.DialTimeout("tcp", n.addr, time.Second)
		if err == nil {
			return conn.Close()
		}
		select {
		case err := <-n.ended:
			return fmt.Errorf("nginx has not started on %s: %w", n.addr, err)
		case <-ctx.Done():
			return errors.Join(ctx.Err(), n.stop())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// keep waits until ctx ends, and then ends nginx. It is an error if nginx ends
// before.
func (n *nginx) keep(ctx context.Context) error {
	select {
	case err := <-n.ended:
		if ctx.Err() != nil {
			return nil // an interrupt of the terminal reaches all processes
		}
		return fmt.Errorf("nginx has ended: %w", errors.Join(err, errors.New("see above")))
	case <-ctx.Done():
		return n.stop()
	}
}

func (n *nginx) stop() error {
	err := n.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(5*time.Second, func() { _ = n.cmd.Process.Kill() })
	defer kill.Stop()
	<-n.ended //nolint:errcheck // it was asked to
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}
