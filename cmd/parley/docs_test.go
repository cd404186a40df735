//go:build unix

package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/reflection"

	"github.com/parley-rpc/parley/examples/pinger"
	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// root is the repository's, where sessions are run.
const root = "../.."

// documents are the documents whose terminal sessions are run. They are links
// in testdata, because go test notices changes only of files of its own module,
// and otherwise reuses an old result.
//
// A session is a fenced block after the comment <!-- session -->: commands
// after "$ ", and their output. The rest of a line after "..." may differ, and
// so may numbers in lines with times. <!-- session in the background --> is one
// command that serves.
var documents = []string{"README.md", "cli.md", "gateway.md"}

var session = regexp.MustCompile("(?m)^<!-- session( in the background)? -->\n```console\n((?:.*\n)*?)```$")

func TestSessionsGoAsTheyAreShown(t *testing.T) {
	program := filepath.Join(t.TempDir(), "parley")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	backend := serveGRPC(t)
	for _, document := range documents {
		t.Run(document, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", document))
			if err != nil {
				t.Fatal(err)
			}
			first, second := freeAddress(t), freeAddress(t)
			replace := strings.NewReplacer("bin/parley", program, "localhost:8080", first, "127.0.0.1:8080", first,
				"localhost:8081", second, "localhost:50051", backend, "$ make parley\n", "")
			sessions := session.FindAllStringSubmatch(string(text), -1)
			if len(sessions) == 0 {
				t.Fatal("there is no session")
			}
			for _, s := range sessions {
				lines := replace.Replace(s[2])
				if s[1] == "" {
					follow(t, lines)
				} else {
					background(t, lines)
				}
			}
		})
	}
}

// TestMakeBuildsTheProgram builds the program for the sessions.
func TestMakeBuildsTheProgram(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join("testdata", "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(makefile), "\tcd cmd/parley && go build -o $(CURDIR)/bin/parley .\n") {
		t.Error("the target parley does something else")
	}
}

// follow runs the commands of a session and compares what they print.
func follow(t *testing.T, session string) {
	t.Helper()
	for step := range strings.SplitSeq(session, "$ ") {
		command, want, _ := strings.Cut(step, "\n")
		if command == "" {
			continue
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if !matches(string(out), want) {
			t.Errorf("%s\nprinted\n%s\nthe document says\n%s", command, out, want)
		}
	}
}

var (
	number  = regexp.MustCompile(`\d+(\.\d+)?`)
	filling = regexp.MustCompile(`[ #]+`)
)

// matches compares the output with what a document shows, line by line.
func matches(out, shown string) bool {
	got, want := strings.Split(out, "\n"), strings.Split(shown, "\n")
	if len(got) != len(want) {
		return false
	}
	for i, w := range want {
		g := got[i]
		if begin, _, open := strings.Cut(w, "..."); open && strings.HasPrefix(g, begin) {
			continue
		}
		if strings.Contains(w, " ms") || strings.Contains(w, " a second") {
			g, w = timeless(g), timeless(w)
		}
		if g != w {
			return false
		}
	}
	return true
}

// timeless returns a line without its numbers and bars.
func timeless(line string) string {
	return strings.TrimSpace(filling.ReplaceAllString(number.ReplaceAllString(line, "N"), " "))
}

// background runs a command that serves until the test ends. It waits until the
// command prints what is shown or, if nothing is shown, listens.
func background(t *testing.T, session string) {
	t.Helper()
	line, want, _ := strings.Cut(strings.TrimPrefix(session, "$ "), "\n")
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir = root
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // sh and go run start other processes
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, ended := context.WithCancelCause(t.Context())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		ended(fmt.Errorf("%s has ended: %w", line, errors.Join(cmd.Wait())))
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // fails if it has ended
		<-gone
		if t.Failed() || !strings.Contains(out.String(), want) {
			t.Errorf("%s\nprinted\n%s", line, &out)
		}
	})
	listening(ctx, t, regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(line))
}

// listening waits until a server listens at an address.
func listening(ctx context.Context, t *testing.T, address string) {
	t.Helper()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			conn.Close()
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal(context.Cause(ctx))
		}
	}
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

// serveGRPC starts a server of grpc-go that has PingService/Ping, and
// reflection.
func serveGRPC(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer()
	srv.RegisterService(&grpc.ServiceDesc{
		ServiceName: "parley.ping.v1.PingService",
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Ping", Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			req := new(pingv1.PingRequest)
			if err := decode(req); err != nil {
				return nil, err
			}
			return pinger.Service{}.Ping(ctx, req)
		}}},
		Metadata: "parley/ping/v1/ping.proto",
	}, nil)
	reflection.Register(srv)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	t.Cleanup(func() {
		srv.Stop()
		<-served
	})
	return l.Addr().String()
}
