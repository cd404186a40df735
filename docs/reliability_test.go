package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A promise whose test was removed or renamed is not tested.
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

// allTests returns the text of all Go tests of the repository.
func allTests(t *testing.T) string { return textOf(t, "_test.go") }

// webTests returns the text of all TypeScript tests of the repository.
func webTests(t *testing.T) string { return textOf(t, ".test.ts") + textOf(t, ".test.tsx") }

// textOf returns the text of all files of the repository with these endings.
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
