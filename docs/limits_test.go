package docs_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// A limit that no test exceeds is only a promise.
func TestEveryLimitNamesATestThatExists(t *testing.T) {
	page, err := os.ReadFile("limits.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := allTests(t)
	name := regexp.MustCompile(`\bTest[A-Z]\w+`)
	rows, named := 0, false
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		last := strings.TrimSpace(cells[len(cells)-1])
		if len(cells) != 5 || last == "test" || strings.Trim(last, "-") == "" && last != "" {
			continue // not a row of a table, or its head
		}
		rows++
		names := name.FindAllString(last, -1)
		if named = len(names) > 0 || named && last == "the same"; !named {
			t.Errorf("%q names no test", cells[0])
		}
		for _, n := range names {
			if !strings.Contains(tests, "func "+n+"(") {
				t.Errorf("%q: there is no %s", cells[0], n)
			}
		}
	}
	if rows < 20 {
		t.Fatalf("limits.md has %d limits", rows)
	}
}
