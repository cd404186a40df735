//go:build unix

package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

//go:embed Caddyfile
var caddyfile string

// caddy is the Caddy at a path.
type caddy struct{ path string }

func (caddy) name() string    { return "Caddy" }
func (caddy) tls() bool       { return false }
func (caddy) silence() string { return "read_timeout" }

// ready asks the admin endpoint, which responds once Caddy serves.
func (caddy) ready(s site) error {
	client := http.Client{Timeout: 5 * time.Second}
	res, err := client.Get("http://" + s.admin + "/config/")
	if err != nil {
		return err
	}
	return errors.Join(res.Body.Close(), listens(s.addr))
}

func (c caddy) version() (string, error) {
	out, err := exec.Command(c.path, "version").Output()
	version, _, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	return strings.TrimPrefix(version, "v"), err
}

func (caddy) config(s site) (string, error) {
	pairs := append(ofServers(s), "rpc.example.com {", "http://"+s.addr+" {")
	if s.silence > 0 {
		pairs = append(pairs, "		lb_policy", fmt.Sprintf("		transport http {\n			read_timeout %ds\n		}\n		lb_policy", int(s.silence.Seconds())))
	}
	text, err := rewrite(caddyfile, pairs...)
	return fmt.Sprintf("{\n\tadmin %s\n}\n", s.admin) + text, err
}

func (c caddy) command(s site) []string {
	return []string{c.path, "run", "--config", s.file("config"), "--adapter", "caddyfile"}
}

func (c caddy) upsets() []upset {
	return []upset{
		{what: "`caddy reload`", do: func(_ context.Context, in *instance) error {
			return in.tell(c.path, "reload", "--config", in.site.file("config"), "--adapter", "caddyfile",
				"--address", in.site.admin, "--force")
		}},
		{what: "TERM, started 1 s later", do: func(ctx context.Context, in *instance) error {
			return in.restart(ctx, syscall.SIGTERM, time.Second)
		}, once: true},
		{what: "another one started, then TERM", do: func(ctx context.Context, in *instance) error {
			old := in.running
			if err := in.run(ctx); err != nil {
				return err
			}
			return old.end(syscall.SIGTERM)
		}, once: true},
	}
}
