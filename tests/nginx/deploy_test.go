package main

import (
	"os"
	"strings"
	"testing"
)

// What docs/deploy.md shows is what `make nginx` tests, with names of a real site.
func TestDocumentedConfigurationIsTheTestedOne(t *testing.T) {
	page, err := os.ReadFile("../../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "```nginx\n")
	shown, _, ended := strings.Cut(rest, "```")
	if !found || !ended {
		t.Fatal("docs/deploy.md shows no nginx configuration")
	}
	tested := strings.NewReplacer("@server@", "127.0.0.1:8080", "@timeout@", "60", "@shutdown@", "10").Replace(template)
	for line := range strings.Lines(shown) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "listen") || strings.HasPrefix(line, "ssl_") || strings.HasPrefix(line, "server_name") {
			continue // the test has no TLS
		}
		if !strings.Contains(tested, line) {
			t.Errorf("not tested: %s", line)
		}
	}
}
