//go:build unix

package main

import (
	"context"
	_ "embed"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

//go:embed nginx.conf
var nginxConf string

// nginx terminates TLS.
type nginx struct{}

func (nginx) name() string    { return "nginx" }
func (nginx) tls() bool       { return true }
func (nginx) silence() string { return "proxy_read_timeout" }

func (nginx) ready(s site) error { return listens(s.addr) }

func (nginx) version() (string, error) {
	out, err := exec.Command("nginx", "-v").CombinedOutput()
	_, version, _ := strings.Cut(string(out), "nginx/")
	return strings.TrimSpace(version), err
}

func (nginx) config(s site) (string, error) {
	pairs := append(ofServers(s),
		"443 ssl", s.addr+" ssl",
		"/etc/ssl/rpc.example.com.pem", s.file("cert.pem"),
		"/etc/ssl/rpc.example.com.key", s.file("key.pem"),
		"worker_shutdown_timeout  10s", fmt.Sprintf("worker_shutdown_timeout  %ds", int(linger.Seconds())),
		"http {\n", "http {\n"+temporary(s.dir))
	if s.silence > 0 {
		pairs = append(pairs, "proxy_read_timeout  60s", fmt.Sprintf("proxy_read_timeout  %ds", int(s.silence.Seconds())))
	}
	return rewrite(nginxConf, pairs...)
}

// temporary returns directives that keep nginx's files in a folder, because
// nginx may not run as root.
func temporary(dir string) string {
	var b strings.Builder
	for _, what := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&b, "    %s_temp_path  %s/%s;\n", what, dir, what)
	}
	return b.String() + "    access_log  off;\n"
}

func (n nginx) command(s site) []string {
	return []string{"nginx", "-p", s.dir, "-e", s.file("error.log"), "-c", s.file("config"),
		"-g", "daemon off; pid " + s.file("nginx.pid") + ";"}
}

func (n nginx) upsets() []upset {
	return []upset{
		{what: "`nginx -s reload`", do: func(_ context.Context, in *instance) error {
			return in.tell(append(n.command(in.site), "-s", "reload")...)
		}},
		{what: "TERM, started 1 s later", do: func(ctx context.Context, in *instance) error {
			return in.restart(ctx, syscall.SIGTERM, time.Second)
		}, once: true},
		{what: "QUIT, another one started at once", do: func(ctx context.Context, in *instance) error {
			if err := in.running.signal(syscall.SIGQUIT); err != nil {
				return err
			}
			return in.run(ctx)
		}, once: true},
	}
}
