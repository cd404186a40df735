package main

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// asProgram is the environment variable that makes the test's binary the
// program itself.
const asProgram = "PARLEY_TEST_AS_SERVERS"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// program is a running program.
type program struct {
	cmd *exec.Cmd
	out *bufio.Reader
}

// start starts the program. It is interrupted in the end, and killed a minute
// after its start.
func start(t *testing.T, args ...string) *program {
	t.Helper()
	p := &program{cmd: exec.Command(os.Args[0], args...)}
	p.cmd.Env = append(os.Environ(), asProgram+"=1", "GORACE=atexit_sleep_ms=0")
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(time.Minute, func() { _ = p.cmd.Process.Kill() })
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(os.Interrupt) // in case the test has failed
		_ = p.cmd.Wait()
		kill.Stop()
	})
	return p
}

// after returns the rest of the next line that begins with a text.
func (p *program) after(t *testing.T, text string) string {
	t.Helper()
	for {
		line, err := p.out.ReadString('\n')
		if err != nil {
			t.Fatalf("%v before %q", err, text)
		}
		if rest, ok := strings.CutPrefix(line, text); ok {
			return strings.TrimSpace(rest)
		}
	}
}

// process returns the next process of a server.
func (p *program) process(t *testing.T, server string) *os.Process {
	t.Helper()
	pid, err := strconv.Atoi(p.after(t, server+" is process "))
	if err != nil {
		t.Fatal(err)
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	return process
}

func TestKilledServerStartsAgainAndAnInterruptEndsAll(t *testing.T) {
	p := start(t, "-addr", "127.0.0.1:0", "-nodes", "2")
	one, two := p.process(t, "server 1"), p.process(t, "server 2")
	url := p.after(t, "open ")
	if err := two.Kill(); err != nil {
		t.Fatal(err)
	}
	res, err := http.Get(url) // by the other one
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(res.Body)
	res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if err != nil || res.StatusCode != http.StatusOK || !bytes.Contains(page, []byte("<title>Parley chat</title>")) {
		t.Errorf("got %s, %v, %.100q", res.Status, err, page)
	}
	again := p.process(t, "server 2")
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, p.out); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the program has ended: %v", err)
	}
	for name, process := range map[string]*os.Process{"server 1": one, "server 2": again} {
		if err := process.Signal(syscall.Signal(0)); err == nil {
			t.Errorf("%s still runs", name)
		}
	}
	if _, err := http.Get(url); err == nil {
		t.Error("nginx still runs")
	}
}

func TestMissingNginxIsExplained(t *testing.T) {
	_, err := findNginx([]string{"no-such-nginx"})
	if err == nil || !strings.Contains(err.Error(), "apt-get install nginx-light") {
		t.Errorf("error %v", err)
	}
}

func TestTakenAddressIsAnErrorAtOnce(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, err = startNginx(t.Context(), "nginx", filepath.Join(t.TempDir(), "nginx"), ln.Addr().String(), nil)
	if err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("error %v", err)
	}
}

func TestWrongArgumentsShowTheUsage(t *testing.T) {
	for _, args := range [][]string{{"-nodes", "0"}, {"-nodes", "17"}, {"more"}, {"-port", "1"}, {"node", "more"}, {"node", "-grace", "0s"}} {
		var out bytes.Buffer
		if err := run(t.Context(), args, &out); err == nil || !strings.Contains(out.String(), usage) {
			t.Errorf("%q: error %v, printed %q", args, err, &out)
		}
	}
}
