//go:build unix

package examples_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// addressInDocument is replaced with a free one.
const addressInDocument = "localhost:8080"

// bufWithStubgen replaces buf, so that the test installs nothing from npm. It
// is a shell function that generates with the plugins of the project.
const bufWithStubgen = `
npx() {
	test "$*" = "--yes @bufbuild/buf generate"
	go run -C "$REPOSITORY/tools/stubgen" . -I "$PWD" --out "$PWD/gen" --opt paths=source_relative \
		--plugin go="$(go tool -n protoc-gen-go)" --plugin go-parley="$(go tool -n protoc-gen-go-parley)" \
		greet/v1/greet.proto
}
`

// project is the folder in which the document's reader works.
type project struct {
	folder     string
	repository string
	address    string
	env        []string
	output     string // of the last command
}

// shell runs commands in the project's folder, which they may change.
func (p *project) shell(t *testing.T, commands string) {
	t.Helper()
	where := filepath.Join(t.TempDir(), "pwd")
	cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", bufWithStubgen+commands+"\npwd >"+where)
	cmd.Dir = p.folder
	cmd.Env = append(p.env, "PWD="+p.folder)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v:\n%s\n%s", err, commands, &stderr)
	}
	p.output = string(out)
	folder, err := os.ReadFile(where)
	if err != nil {
		t.Fatal(err)
	}
	p.folder = strings.TrimSpace(string(folder))
}

// background starts a server and waits until it accepts connections.
func (p *project) background(t *testing.T, command string) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command("sh", "-e", "-c", command)
	cmd.Dir = p.folder
	cmd.Env = p.env
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // go run starts another process
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, ended := context.WithCancelCause(t.Context())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		ended(errors.Join(errors.New("the server has ended"), cmd.Wait()))
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // fails if it has ended
		<-gone
	})
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", p.address)
		if err == nil {
			conn.Close()
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			<-gone
			t.Fatalf("%v:\n%s", context.Cause(ctx), &out)
		}
	}
}

// write writes a file of the project.
func (p *project) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(p.folder, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	text = strings.ReplaceAll(text, addressInDocument, p.address)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// installsThisTree returns an environment in which the go command gets the
// modules of the repository by version, as they are now, from a module proxy made
// of files. Their dependencies come from the machine's module cache, if they are
// there.
func installsThisTree(t *testing.T, repository string) []string {
	t.Helper()
	proxy := filepath.Join(t.TempDir(), "proxy")
	cmd := exec.CommandContext(t.Context(), "go", "run", ".", "proxy", proxy)
	cmd.Dir = filepath.Join(repository, "tools", "release")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE", "GOPROXY").Output()
	if err != nil {
		t.Fatal(err)
	}
	machine := strings.Split(string(out), "\n")
	return append(os.Environ(),
		"REPOSITORY="+repository,
		"GOPROXY=file://"+proxy+",file://"+filepath.Join(machine[0], "cache", "download")+","+machine[1],
		"GOSUMDB=off",
		"GOMODCACHE="+filepath.Join(t.TempDir(), "modules"), // the machine keeps no copy of the version
		"GOFLAGS=-modcacherw -trimpath",                     // -trimpath: the build cache serves the next run
	)
}

// freeAddress returns an address without a listener.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestFirstServiceWorksAsWritten does what a reader of the document does.
func TestFirstServiceWorksAsWritten(t *testing.T) {
	repository, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	p := &project{
		folder: t.TempDir(), repository: repository, address: freeAddress(t), env: installsThisTree(t, repository),
	}
	outputs := 0
	for _, b := range blocks(t, startDocument) {
		switch b.how {
		case "file":
			p.write(t, b.arg, b.text)
		case "run":
			p.shell(t, b.text)
		case "run in the background":
			p.background(t, b.text)
		case "output":
			outputs++
			if p.output != b.text {
				t.Errorf("%s: printed %q, the document says %q", b.where, p.output, b.text)
			}
		}
	}
	if outputs == 0 {
		t.Error("the document shows nothing that was printed")
	}
}
