package conformance_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/tests/conformance"
)

// peer is the path of the Go implementation under test.
var peer string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "conformance")
	if err != nil {
		panic(err)
	}
	peer = filepath.Join(dir, "peer")
	if said, err := exec.Command("go", "build", "-o", peer, "./peer").CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v: %s", err, said))
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// TestTheGoImplementationConforms also proves the column of the document's
// table. `make conformance` proves the others.
func TestTheGoImplementationConforms(t *testing.T) {
	t.Parallel()
	report, err := conformance.Run(t.Context(), conformance.Options{Command: []string{peer}, Stderr: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	if failed := report.Failed(); len(failed) > 0 || report.Passed() < 1500 {
		t.Fatalf("%s", report.Text())
	}
	document, err := os.ReadFile("../../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	table, err := conformance.Table([]*conformance.Report{report})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range strings.Split(strings.TrimSpace(table), "\n") {
		row = strings.TrimSuffix(row, "---|") // the columns of the others follow
		if !strings.Contains(string(document), "\n"+row) {
			t.Errorf("docs/conformance.md has no row that begins with %s: go run ./tests/conformance/all -w", row)
		}
	}
}

// TestEachFaultIsNoticed proves that each group of cases notices something.
func TestEachFaultIsNoticed(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	for _, f := range []struct{ fault, cases string }{
		{"origin", "^vector-handshake/origin-of-another-host@"},
		{"close-code", "^vector-malformed/(type-zero|empty-message)@|^handshake/.*@acceptor"},
		{"close-code", "^hello/text-message|^hello/empty-message@"},
		{"no-reset", "^vector-states/opener-over-data@"},
		{"no-reset", "^vector-session/data-after-end@"},
		{"no-reset", "^streams/header-twice@"},
		{"no-reset", "^caller/response-that-does-not-parse"},
		{"no-window", "^flow/receiver-gives-credit@"},
		{"no-pong", "^hello/ping@"},
		{"no-ping", "^hello/keepalive@"},
		{"no-cancel", "^cancel/handler-is-canceled-Unary@"},
		{"no-goaway", "^drain/acceptor-drains-in-two-steps@"},
		{"no-ack", "^resume/acknowledges-in-time@"},
		{"received", "^resume/calls-continue@acceptor"},
		{"status", "^status/served-5@"},
		{"reserved-keys", "^metadata/reserved-keys-are-hidden-from-handlers@"},
		{"no-deadline", "^deadline/handler-is-canceled"},
		{"codec", "^codec/json-is-served@"},
		{"short-messages", "^calls/unary@"},
	} {
		running.Go(func() { // they wait most of the time, so that all of them run at once
			o := conformance.Options{Command: []string{peer, "-fault", f.fault}, Run: regexp.MustCompile(f.cases)}
			report, err := conformance.Run(t.Context(), o)
			if err != nil {
				t.Errorf("%s: %v", f.fault, err)
				return
			}
			if len(report.Failed()) == 0 {
				t.Errorf("no case notices %s: %s", f.fault, report.Summary())
			}
			if !strings.Contains(string(document), "`"+f.fault+"`") {
				t.Errorf("docs/conformance.md does not name %s", f.fault)
			}
		})
	}
	running.Wait()
}

func TestKnownFailuresAreReportedByName(t *testing.T) {
	const failing, passing = "calls/unary@acceptor", "hello/ping@acceptor"
	o := conformance.Options{
		Command: []string{peer, "-fault", "short-messages"},
		Run:     regexp.MustCompile("^(" + failing + "|" + passing + ")$"),
		Known:   conformance.ParseKnown("# why\n" + failing + " # because\n\n"),
	}
	report, err := conformance.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if report.Passed() != 1 || len(report.Failed()) != 0 || len(report.Known()) != 1 {
		t.Errorf("a known failure: %s", report.Text())
	}
	for _, want := range []string{"known failure " + failing, "1 passed, 0 failed, 1 known failures"} {
		if !strings.Contains(report.Text(), want) {
			t.Errorf("%q is not in %s", want, report.Text())
		}
	}

	o.Known = append(o.Known, passing)
	if report, err = conformance.Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if failed := report.Failed(); len(failed) != 1 || failed[0].Case != passing {
		t.Errorf("a known failure that passes: %s", report.Text())
	}

	o.Known = []string{"calls/none@acceptor"}
	if _, err = conformance.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "calls/none@acceptor") {
		t.Errorf("a known failure that is no case: %v", err)
	}
}

func TestADriverThatDoesNotWorkIsAnError(t *testing.T) {
	for _, c := range []struct {
		name    string
		command []string
		says    string
	}{
		{"none", nil, "no command"},
		{"not there", []string{"./there-is-no-such-file"}, "does not start"},
		{"ends at once", []string{"true"}, "has ended"},
		{"prints something else", []string{"echo", "hello"}, "no Report"},
	} {
		_, err := conformance.Run(t.Context(), conformance.Options{Command: c.command})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want something of %q", c.name, err, c.says)
		}
	}
}

func TestEveryCaseHasANameOfItsOwnAndASpec(t *testing.T) {
	cases, err := conformance.Cases()
	if err != nil {
		t.Fatal(err)
	}
	var groups []string
	for _, g := range conformance.Groups() {
		groups = append(groups, g[0])
	}
	names := make(map[string]bool)
	for _, c := range cases {
		if names[c.Name] || c.Spec == "" || c.Role != conformance.Dialer && c.Role != conformance.Acceptor {
			t.Errorf("case %q, spec %q, role %q", c.Name, c.Spec, c.Role)
		}
		names[c.Name] = true
		if !slices.Contains(groups, c.Group) {
			t.Errorf("%s is in no group of the table", c.Name)
		}
	}
}
