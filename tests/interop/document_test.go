package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentSaysOfEveryCaseWhatBecomesOfIt looks for the cases in the source
// of grpc-go. Each is run unchanged, or named in docs/grpc.md.
func TestDocumentSaysOfEveryCaseWhatBecomesOfIt(t *testing.T) {
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "google.golang.org/grpc/interop").Output()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	ours, document := read(t, "case.go"), read(t, "../../docs/grpc.md")
	found := 0
	for _, file := range files {
		for _, m := range regexp.MustCompile(`(?m)^func (Do\w+)\(`).FindAllStringSubmatch(read(t, file), -1) {
			found++
			runs := regexp.MustCompile(`interop\.` + m[1] + `\b`).MatchString(ours)
			if named := strings.Contains(document, "`"+m[1]+"`"); runs == named {
				t.Errorf("%s: run as it is %t, in docs/grpc.md as one that is not %t", m[1], runs, named)
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d cases found", found)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
