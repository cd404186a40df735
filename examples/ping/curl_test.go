//go:build unix

package main

import (
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestTheCurlLineOfTheReadmeWorks runs it, with the address of the server here.
// The README is a link in testdata, because go test notices changes only of
// files of its own module.
func TestTheCurlLineOfTheReadmeWorks(t *testing.T) {
	readme, err := os.ReadFile("testdata/README.md")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile("(?m)^curl -d .*$").FindString(string(readme))
	if line == "" {
		t.Fatal("there is no such line")
	}
	at, err := url.Parse(start(t))
	if err != nil {
		t.Fatal(err)
	}
	line = strings.Replace(line, "localhost:8080", at.Host, 1)
	out, err := exec.CommandContext(t.Context(), "sh", "-c", line+" --silent --show-error --fail-with-body --max-time 10").Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", line, err, out)
	}
	var answer struct{ Text string }
	if err := json.Unmarshal(out, &answer); err != nil || answer.Text != "hi" {
		t.Errorf("%s printed %s", line, out)
	}
}
