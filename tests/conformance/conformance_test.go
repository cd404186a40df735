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

// wrong are implementations with one fault, and cases that must notice it.
func wrong() []struct{ fault, cases string } {
	return []struct{ fault, cases string }{
		{"any-version", "^handshake/websocket-version-8@acceptor$"},
		{"no-credential", "^handshake/dialer-credential@dialer$"},
		{"close-code", "^hello/(text|empty)-message"},
		{"no-pong", "^hello/ping@"},
		{"no-ping", "^hello/keepalive@"},
		{"no-reset", "^streams/header-twice@"},
		{"no-window", "^flow/receiver-gives-credit@"},
		{"no-ack", "^resume/acknowledges-in-time@"},
		{"received", "^resume/calls-continue@"},
		{"no-goaway", "^drain/acceptor-drains-in-two-steps@"},
		{"no-goaway", "^drain/dialer-leaves"},
		{"short-messages", "^calls/unary@"},
		{"no-reset", "^caller/response-that-does-not-parse"},
		{"status", "^status/served-5@"},
		{"reserved-keys", "^metadata/reserved-keys-are-hidden-from-handlers@"},
		{"codec", "^codec/json-is-served@"},
		{"no-deadline", "^deadline/handler-is-canceled"},
		{"no-cancel", "^cancel/handler-is-canceled-Unary@"},
		{"origin", "^vector-handshake/origin-of-another-host@"},
		{"close-code", "^vector-malformed/(type-zero|empty-message)@"},
		{"no-reset", "^vector-session/data-after-end@"},
		{"no-reset", "^vector-states/opener-over-data@"},
	}
}

// TestEachFaultIsNoticed proves that each group of cases notices something: that
// the same cases pass without the fault is what the test above proves.
func TestEachFaultIsNoticed(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	noticed := make(map[string]bool) // groups
	var running sync.WaitGroup
	for _, f := range wrong() {
		running.Go(func() { // they wait most of the time, so that all of them run at once
			o := conformance.Options{Command: []string{peer, "-fault", f.fault}, Run: regexp.MustCompile(f.cases)}
			report, err := conformance.Run(t.Context(), o)
			if err != nil {
				t.Errorf("%s: %v", f.fault, err)
				return
			}
			if len(report.Failed()) == 0 {
				t.Errorf("no case of %s notices %s: %s", f.cases, f.fault, report.Summary())
			}
			mu.Lock()
			defer mu.Unlock()
			for _, c := range report.Failed() {
				group, _, _ := strings.Cut(c.Case, "/")
				noticed[group] = true
			}
		})
	}
	running.Wait()
	for _, g := range conformance.Groups() {
		if !noticed[g[0]] {
			t.Errorf("no case of the group %s notices any fault", g[0])
		}
	}
}

// TestEachFaultIsDocumentedAndTested compares the faults that the peer has with
// those of the document and of the test above.
func TestEachFaultIsDocumentedAndTested(t *testing.T) {
	t.Parallel()
	said, err := exec.Command(peer, "-fault", "none-of-them").CombinedOutput()
	_, list, found := strings.Cut(strings.TrimSpace(string(said)), "use one of ")
	if err == nil || !found {
		t.Fatalf("%v: %s", err, said)
	}
	has := strings.Split(list, ", ")
	document, err := os.ReadFile("../../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(document), "## The kit is tested")
	if !found {
		t.Fatal("docs/conformance.md has no section about the faults")
	}
	var names, tested []string
	for _, match := range regexp.MustCompile("`([a-z-]+)`").FindAllStringSubmatch(section, -1) {
		names = append(names, match[1])
	}
	for _, f := range wrong() {
		tested = append(tested, f.fault)
	}
	slices.Sort(tested)
	if tested = slices.Compact(tested); !slices.Equal(has, names) || !slices.Equal(has, tested) {
		t.Errorf("faults:\n%q are there,\n%q are documented,\n%q are tested", has, names, tested)
	}
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
