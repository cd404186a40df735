package docs_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Each promise against an attacker has a test.
func TestEveryPromiseOfSecurityNamesATestThatExists(t *testing.T) {
	page, err := os.ReadFile("security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "\n## What is tested\n")
	goTests, webTests := allTests(t), webTests(t)
	named := regexp.MustCompile("`([^`]+)`")
	rows := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 2 || strings.TrimSpace(cells[1]) == "test" || strings.Trim(cells[1], "-") == "" {
			continue // not a row of the table, or its head
		}
		rows++
		tests := named.FindAllStringSubmatch(cells[1], -1)
		if len(tests) == 0 {
			t.Errorf("%q names no test", cells[0])
		}
		for _, m := range tests {
			inGo := strings.Contains(goTests, "func "+m[1]+"(")
			if inWeb := strings.Contains(webTests, m[1]); !inGo && !inWeb {
				t.Errorf("%q: there is no test %s", cells[0], m[1])
			}
		}
	}
	if rows < 5 {
		t.Fatalf("security.md has %d rows", rows)
	}
}
