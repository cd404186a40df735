package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// asProgram is the environment variable that makes the test's binary the
// program itself, for tests that start it as a process.
const asProgram = "PARLEY_TEST_AS_CHAT"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// process is a running chat, with its terminal.
type process struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	errors bytes.Buffer
}

func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.CommandContext(t.Context(), os.Args[0], args...)}
	p.cmd.Env = append(os.Environ(), asProgram+"=1", "GORACE=atexit_sleep_ms=0")
	p.cmd.Stderr = &p.errors
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Wait() }) // in case end was not called; killed by the context
	return p
}

func (p *process) say(t *testing.T, line string) {
	t.Helper()
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		t.Fatal(err)
	}
}

// see reads lines and compares them.
func (p *process) see(t *testing.T, want ...string) {
	t.Helper()
	for _, w := range want {
		if got := p.line(t); got != w {
			t.Fatalf("saw %.100q, want %.100q", got, w)
		}
	}
}

func (p *process) line(t *testing.T) string {
	t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatalf("%v after %q; %s", err, line, &p.errors)
	}
	return strings.TrimSuffix(line, "\n")
}

// end waits until the process has ended, and returns the rest of its output.
func (p *process) end(t *testing.T, wantCode int) (out string) {
	t.Helper()
	rest, err := io.ReadAll(p.out)
	if err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait() // the exit code has the result
	if code := p.cmd.ProcessState.ExitCode(); code != wantCode {
		t.Errorf("ended with code %d, want %d: %s%s", code, wantCode, rest, &p.errors)
	}
	return string(rest)
}

func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// startServer starts a server and returns its URL.
func startServer(t *testing.T) (p *process, url string) {
	t.Helper()
	p = start(t, "server", "-addr", "127.0.0.1:0")
	return p, strings.TrimPrefix(p.line(t), "serving ")
}

func TestMembersOfARoomTalkOverTheirTerminals(t *testing.T) {
	_, url := startServer(t)
	ada := start(t, "join", "-url", url, "-name", "ada")
	ada.see(t, "* here: ada")
	bob := start(t, "join", "-url", url, "-name", "bob")
	bob.see(t, "* here: ada, bob")
	ada.see(t, "* bob came")
	eve := start(t, "join", "-url", url, "-name", "eve", "-room", "elsewhere")
	eve.see(t, "* here: eve")

	ada.say(t, "hello, bob")
	ada.see(t, "ada: hello, bob")
	bob.see(t, "ada: hello, bob")
	bob.say(t, "hello, ada")
	ada.see(t, "bob: hello, ada")
	bob.see(t, "bob: hello, ada")

	bob.in.Close() // as Ctrl-D does
	ada.see(t, "* bob left")
	bob.end(t, 0)
	ada.signal(t, os.Interrupt)
	ada.end(t, 0)
	eve.in.Close()
	if out := eve.end(t, 0); out != "" {
		t.Errorf("eve has seen %q", out)
	}
}

// A terminal that is stopped, as by Ctrl-S, accepts no output.
func TestStoppedTerminalDelaysNoOtherMember(t *testing.T) {
	const lines = 2500 // of 4,000 bytes: more than the pipe and the windows hold, and the room keeps
	_, url := startServer(t)
	ada := start(t, "join", "-url", url, "-name", "ada")
	ada.see(t, "* here: ada")
	slow := start(t, "join", "-url", url, "-name", "slow")
	slow.see(t, "* here: ada, slow")
	bob := start(t, "join", "-url", url, "-name", "bob")
	bob.see(t, "* here: ada, bob, slow")
	ada.see(t, "* slow came", "* bob came")

	for n := range lines {
		text := fmt.Sprintf("%03999d", n)
		ada.say(t, text)
		ada.see(t, "ada: "+text)
		bob.see(t, "ada: "+text)
	}
	ada.in.Close()
	ada.end(t, 0)
	got, gaps, isGap := 0, 0, false
	for next := 0; next < lines; {
		line := slow.line(t)
		var n int
		switch _, err := fmt.Sscanf(line, "ada: %d", &n); {
		case line == "* lines are missing here":
			gaps, isGap = gaps+1, true
		case err != nil: // bob came, ada left
		case n != next && !isGap || n < next:
			t.Fatalf("saw line %d, want %d", n, next)
		default:
			got, next, isGap = got+1, n+1, false
		}
	}
	if gaps == 0 || got == lines {
		t.Errorf("%d lines seen of %d, and %d gaps", got, lines, gaps)
	}
}

func TestMembersLearnWhyTheCallEnded(t *testing.T) {
	srv, url := startServer(t)
	ada := start(t, "join", "-url", url, "-name", "ada")
	ada.see(t, "* here: ada")
	second := start(t, "join", "-url", url, "-name", "ada")
	second.end(t, 1)
	if !strings.Contains(second.errors.String(), "ALREADY_EXISTS") {
		t.Errorf("the second ada was told %q", &second.errors)
	}
	srv.signal(t, syscall.SIGTERM)
	srv.end(t, 0)
	ada.end(t, 1)
	if !strings.Contains(ada.errors.String(), "UNAVAILABLE") {
		t.Errorf("ada was told %q", &ada.errors)
	}
}

func TestUnknownCommandsShowTheUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"join"}, {"server", "-port", "1"}} {
		var out bytes.Buffer
		if err := run(t.Context(), args, nil, &out); err == nil || !strings.Contains(out.String(), usage) {
			t.Errorf("%q: error %v, printed %q", args, err, &out)
		}
	}
}
