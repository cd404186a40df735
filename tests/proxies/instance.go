//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// kind is a kind of proxy.
type kind interface {
	name() string
	version() (string, error)
	// tls reports whether its site uses TLS.
	tls() bool
	// config returns the configuration for a site.
	config(s site) (string, error)
	// command returns the command that runs it in the foreground.
	command(s site) []string
	// ready returns nil once a process that was just started serves.
	ready(s site) error
	// upsets returns the events under load.
	upsets() []upset
	// silence describes the setting that ends silent connections.
	silence() string
}

// upset is an event at a proxy.
type upset struct {
	what string
	do   func(context.Context, *instance) error
	once bool // in a row, however long
}

// site is what the configuration of a proxy depends on.
type site struct {
	dir     string
	addr    string // where it listens
	admin   string // where its admin endpoint listens, if it has one
	servers []string
	silence time.Duration // after which connections end; 0: as in the docs
}

func (s site) file(name string) string { return filepath.Join(s.dir, name) }

// linger is how long old processes serve their connections after a reload.
const linger = time.Second

// instance is a proxy with its files in its own folder.
type instance struct {
	kind    kind
	site    site
	running *process
	all     []*process
}

// start runs a proxy on a free port of the loopback interface.
func start(ctx context.Context, k kind, backends []string, silence time.Duration) (*instance, error) {
	dir, err := os.MkdirTemp("", "parley-proxies-")
	if err != nil {
		return nil, err
	}
	in := &instance{kind: k, site: site{dir: dir, servers: backends, silence: silence}}
	in.site.addr, err = freeAddress()
	if err == nil && k.tls() {
		err = writeCertificate(in.site)
	}
	if err == nil {
		err = in.run(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, in.stop())
	}
	return in, nil
}

// freeAddress finds a free port. It should stay free for a moment.
func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}

// run starts another process of the proxy and waits until it serves. Earlier
// processes go on.
func (in *instance) run(ctx context.Context, more ...string) error {
	admin, err := freeAddress()
	if err != nil {
		return err
	}
	in.site.admin = admin
	if err := in.write(); err != nil {
		return err
	}
	p, err := launch(in.site.dir, append(in.kind.command(in.site), more...))
	if err != nil {
		return err
	}
	in.running = p
	in.all = append(in.all, p)
	return in.await(ctx, p)
}

// await waits until a process serves.
func (in *instance) await(ctx context.Context, p *process) error {
	for {
		err := in.kind.ready(in.site)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended: %s", in.kind.name(), p.said())
		case <-ctx.Done():
			return fmt.Errorf("%s does not serve: %w: %s", in.kind.name(), err, p.said())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// listens returns nil if a process listens on an address.
func listens(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	return conn.Close()
}

func (in *instance) write() error {
	text, err := in.kind.config(in.site)
	if err != nil {
		return err
	}
	return os.WriteFile(in.site.file("config"), []byte(text), 0o600)
}

// tell runs an administrative command.
func (in *instance) tell(command ...string) error {
	out, err := program(in.site.dir, command).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, out)
	}
	return nil
}

// restart ends the proxy, and starts it again after a while.
func (in *instance) restart(ctx context.Context, s syscall.Signal, after time.Duration) error {
	if err := in.running.end(s); err != nil {
		return err
	}
	pause(ctx, after)
	return in.run(ctx)
}

// stop ends all of the proxy for good.
func (in *instance) stop() error {
	var errs []error
	for _, p := range in.all {
		errs = append(errs, p.end(syscall.SIGTERM))
	}
	return errors.Join(append(errs, os.RemoveAll(in.site.dir))...)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// rewrite replaces texts of a configuration from the docs. from and to
// alternate; each from must occur.
func rewrite(text string, pairs ...string) (string, error) {
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			return "", fmt.Errorf("the configuration has no %q", pairs[i])
		}
	}
	return strings.NewReplacer(pairs...).Replace(text), nil
}

// servers of a site.
const servers = 3

// ofServers returns pairs that replace the addresses of a configuration from
// the docs.
func ofServers(s site) (pairs []string) {
	for i, addr := range s.servers {
		pairs = append(pairs, fmt.Sprintf("10.0.0.%d:8080", i+1), addr)
	}
	return pairs
}
