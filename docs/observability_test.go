package docs_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// found returns what a pattern captures in the files of a folder, tests excepted.
func found(t *testing.T, pattern string, files ...string) []string {
	t.Helper()
	all := make(map[string]bool)
	for _, glob := range files {
		paths, err := filepath.Glob(glob)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
				all[m[1]] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func TestWhatIsLoggedIsInTheTable(t *testing.T) {
	logged, told := found(t, `"(parley: [A-Za-z. ]+)"`, "../rpc/*.go"), found(t, "(?m)^\\| `(parley: [A-Za-z. ]+)` \\|", "observability.md")
	if len(logged) < 8 || !slices.Equal(logged, told) {
		t.Errorf("rpc logs %q, observability.md has %q", logged, told)
	}
}

func TestMetricsAndAttributesAreInTheTables(t *testing.T) {
	used, told := found(t, `"(parley\.[a-z_.]+)"`, "../ext/otel/*.go"), found(t, "`(parley\\.[a-z_.]+)`", "observability.md")
	const ofNode = "parley.cluster."
	told = slices.DeleteFunc(told, func(name string) bool { return name == ofNode }) // all of them
	for _, name := range found(t, "`([a-z_.]+)`[^|]* \\| `[A-Z]", "cluster.md") {
		told = append(told, ofNode+name)
	}
	for _, name := range found(t, "\\| `[a-z_.]+`, `([a-z_.]+)` \\| `[A-Z]", "cluster.md") {
		told = append(told, ofNode+name)
	}
	slices.Sort(told)
	told = slices.Compact(told)
	if len(used) < 36 || !slices.Equal(used, told) {
		t.Errorf("ext/otel uses %q, observability.md and cluster.md have %q", used, told)
	}
}
