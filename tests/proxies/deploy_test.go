//go:build unix

package main

import (
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func deployPage(t *testing.T) string {
	page, err := os.ReadFile("../../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

func TestDocumentedConfigurationsAreTheTestedOnes(t *testing.T) {
	page := deployPage(t)
	for language, tested := range map[string]string{"nginx": nginxConf, "haproxy": haproxyCfg, "caddyfile": caddyfile} {
		if !strings.Contains(page, "```"+language+"\n"+tested+"```\n") {
			t.Errorf("docs/deploy.md does not show the configuration of %s that is tested", language)
		}
		if n := strings.Count(page, "```"+language+"\n"); n != 1 {
			t.Errorf("docs/deploy.md shows %d configurations of %s", n, language)
		}
	}
}

func TestDocumentedTableHasTheRowsOfTheProgram(t *testing.T) {
	_, table, found := strings.Cut(deployPage(t), header+"\n")
	if !found {
		t.Fatalf("docs/deploy.md has no table with the header\n%s", header)
	}
	table, _, _ = strings.Cut(table, "\n\n")
	shown := strings.Split(table, "\n")
	all := rows(kinds("caddy"))
	if len(shown) != len(all) {
		t.Fatalf("docs/deploy.md has %d rows, the program %d", len(shown), len(all))
	}
	for i, r := range all {
		cells := strings.Split(strings.Trim(shown[i], "| "), " | ")
		if len(cells) != strings.Count(header, "--") {
			t.Errorf("%d cells: %s", len(cells), shown[i])
			continue
		}
		if !strings.HasPrefix(cells[0], r.kind.name()+" ") || cells[1] != r.what {
			t.Errorf("row %d is %q, the program's is %s, %s", i+1, shown[i], r.kind.name(), r.what)
		}
		if cells[len(cells)-1] != "0" {
			t.Errorf("calls failed: %s", shown[i])
		}
	}
}

func TestAConfigurationThatHasChangedIsNotRewrittenInPart(t *testing.T) {
	for _, k := range kinds("caddy") {
		s := site{dir: "/d", addr: "127.0.0.1:1", admin: "127.0.0.1:2", servers: []string{"s1", "s2", "s3"}, silence: tooLong.timeout}
		text, err := k.config(s)
		if err != nil {
			t.Errorf("%s: %v", k.name(), err)
		}
		for _, left := range []string{"example.com", "10.0.0.", "10s"} {
			for line := range strings.Lines(text) {
				if strings.Contains(line, left) && !strings.Contains(line, "server_name") {
					t.Errorf("%s: %q is left: %s", k.name(), left, line)
				}
			}
		}
	}
	if _, err := rewrite("a b", "a", "x", "c", "y"); err == nil {
		t.Error("a text that is not there was replaced")
	}
}
