package goldentest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// stubs is one of the goldens; all of them have the handshake.
const stubs = "github.com/parley-rpc/parley/internal/codegen/testdata/gen/kinds/kindsparley"

func TestStubsThatDoNotFitTheRuntimeDoNotCompile(t *testing.T) {
	tests := []struct {
		name     string
		constant string // of package rpc
		value    string
		want     string // in the compiler's output
	}{
		{"stubs too old", "MinGenerated", "1000", "thisFileIsTooOldGenerateItAgain"},
		{"runtime too old", "MaxGenerated", "0", "packageRPCIsTooOldUpdateParley"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			out, err := build(t, overlay(t, test.constant, test.value))
			if err == nil {
				t.Fatal("the stubs compile")
			}
			message := regexp.MustCompile(`kinds\.parley\.go:\d+:\d+: cannot use ` + test.want + ` .* as rpc\.EnforceVersion value`)
			if !message.MatchString(out) {
				t.Errorf("the compiler does not say %q:\n%s", message, out)
			}
			if n := strings.Count(out, "kinds.parley.go:"); n != 1 {
				t.Errorf("the compiler has %d complaints, want 1:\n%s", n, out)
			}
		})
	}
}

func TestStubsThatFitTheRuntimeCompile(t *testing.T) {
	tests := []struct{ name, constant, value string }{
		{"runtime that knows newer stubs, too", "MaxGenerated", "1000"},
		{"runtime that knows older stubs, too", "MinGenerated", "0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if out, err := build(t, overlay(t, test.constant, test.value)); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// overlay writes a file for go build's -overlay that changes a constant of package rpc.
func overlay(t *testing.T, constant, value string) string {
	t.Helper()
	declaration := regexp.MustCompile(`(?m)^(\s*` + constant + `\s*=\s*)\d+$`)
	sources, err := filepath.Glob("../../../rpc/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		content, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		if !declaration.Match(content) {
			continue
		}
		original, err := filepath.Abs(source)
		if err != nil {
			t.Fatal(err)
		}
		changed := filepath.Join(t.TempDir(), "changed.go")
		write(t, changed, declaration.ReplaceAll(content, []byte("${1}"+value)))
		replace, err := json.Marshal(map[string]any{"Replace": map[string]string{original: changed}})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "overlay.json")
		write(t, file, replace)
		return file
	}
	t.Fatalf("package rpc does not declare %s", constant)
	return ""
}

func write(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// build compiles the stubs and returns the compiler's output.
func build(t *testing.T, overlay string) (string, error) {
	t.Helper()
	cmd := exec.Command("go", "build", "-overlay", overlay, stubs)
	cmd.Dir = "../../.." // the module of the stubs
	out, err := cmd.CombinedOutput()
	return string(out), err
}
