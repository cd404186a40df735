//go:build unix

package main

import (
	"context"
	_ "embed"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed haproxy.cfg
var haproxyCfg string

// haproxy terminates TLS.
type haproxy struct{}

func (haproxy) name() string    { return "HAProxy" }
func (haproxy) tls() bool       { return true }
func (haproxy) silence() string { return "timeout tunnel" }

func (haproxy) ready(s site) error { return listens(s.addr) }

func (haproxy) version() (string, error) {
	out, err := exec.Command("haproxy", "-v").Output()
	_, version, _ := strings.Cut(string(out), "version ")
	version, _, _ = strings.Cut(version, "-")
	return version, err
}

func (haproxy) config(s site) (string, error) {
	pairs := append(ofServers(s),
		":443 ssl crt /etc/ssl/rpc.example.com.pem", s.addr+" ssl crt "+s.file("both.pem"),
		"hard-stop-after  10s", fmt.Sprintf("hard-stop-after  %ds", int(linger.Seconds())))
	if s.silence > 0 {
		pairs = append(pairs, "timeout tunnel   60s", fmt.Sprintf("timeout tunnel   %ds", int(s.silence.Seconds())))
	}
	return rewrite(haproxyCfg, pairs...)
}

// command runs a master and its worker.
func (haproxy) command(s site) []string {
	return []string{"haproxy", "-W", "-f", s.file("config")}
}

func (h haproxy) upsets() []upset {
	return []upset{
		{what: "reload: USR2 to the master", do: func(_ context.Context, in *instance) error {
			return in.running.signal(syscall.SIGUSR2)
		}},
		{what: "reload: a new process with `-sf`", do: func(ctx context.Context, in *instance) error {
			return in.run(ctx, "-sf", strconv.Itoa(in.running.cmd.Process.Pid))
		}},
		{what: "TERM, started 1 s later", do: func(ctx context.Context, in *instance) error {
			return in.restart(ctx, syscall.SIGTERM, time.Second)
		}, once: true},
		{what: "USR1, another one started at once", do: func(ctx context.Context, in *instance) error {
			if err := in.running.signal(syscall.SIGUSR1); err != nil {
				return err
			}
			return in.run(ctx)
		}, once: true},
	}
}
