package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A promise whose test has gone, or has another name now, is not shown by anything.
func TestTestsNamedByReliabilityExist(t *testing.T) {
	page, err := os.ReadFile("reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(string(page), -1)
	if len(names) == 0 {
		t.Fatal("reliability.md names no test")
	}
	tests := allTests(t)
	for _, name := range names {
		if !strings.Contains(tests, "func "+name+"(") {
			t.Errorf("there is no %s", name)
		}
	}
}

// allTests is the text of all tests of the repository in Go.
func allTests(t *testing.T) string { return textOf(t, "_test.go") }

// webTests is the text of all tests of the repository in TypeScript.
func webTests(t *testing.T) string { return textOf(t, ".test.ts") + textOf(t, ".test.tsx") }

// textOf is the text of all files of the repository whose names end so.
func textOf(t *testing.T, suffix string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "node_modules":
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, suffix):
			return nil
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
