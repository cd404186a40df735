package command_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestConformanceRunsCasesAgainstADriver(t *testing.T) {
	peer := filepath.Join(t.TempDir(), "peer")
	said, err := exec.Command("go", "build", "-o", peer, "github.com/parley-rpc/parley/tests/conformance/peer").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	run(t, "conformance", "--run", "^calls/unary@", "--", peer).want(t, "parley-go: N passed, N failed\n")

	r := run(t, "conformance", "--run", "^calls/unary@acceptor$", "-o", "json", "--", peer, "-fault", "short-messages")
	var got struct {
		Implementation string
		Results        []struct{ Case, Spec, Failure string }
	}
	if err := json.Unmarshal([]byte(r.out), &got); err != nil || r.exit != 1 || len(got.Results) != 1 || got.Results[0].Failure == "" {
		t.Errorf("exit code %d, %v: %s", r.exit, err, r.out)
	}

	known := filepath.Join(t.TempDir(), "known.txt")
	if err := os.WriteFile(known, []byte("calls/unary@acceptor # not yet\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r = run(t, "conformance", "--run", "^calls/unary@acceptor$", "--known", known, "--", peer, "-fault", "short-messages")
	if r.exit != 0 || !strings.Contains(r.out, "known failure calls/unary@acceptor") {
		t.Errorf("exit code %d, %s", r.exit, r.out)
	}
	r = run(t, "conformance", "--run", "^calls/unary@acceptor$", "--known", known, "--", peer)
	if r.exit != 1 || !strings.Contains(r.out, "remove it there") {
		t.Errorf("exit code %d, %s", r.exit, r.out)
	}
}

func TestConformanceListsItsCases(t *testing.T) {
	r := run(t, "conformance", "--list")
	if r.exit != 0 || !strings.Contains(r.out, "calls/unary@acceptor\t11.4\n") || strings.Count(r.out, "\n") < 1000 {
		t.Errorf("exit code %d, %d lines", r.exit, strings.Count(r.out, "\n"))
	}
}

func TestConformanceSaysWhatIsWrongWithItsCommandLine(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{nil, "no command under test"},
		{[]string{"--run", "(", "--", "true"}, "--run"},
		{[]string{"--run", "no such case", "--", "true"}, "no case matches"},
		{[]string{"--known", "none.txt", "--", "true"}, "--known"},
		{[]string{"--", "./none"}, "does not start"},
	} {
		run(t, append([]string{"conformance"}, c.args...)...).wantFailure(t, 2, c.says)
	}
}
