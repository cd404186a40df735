package parley_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"strings"
	"testing"
)

const (
	maxLines  = 400 // of a file
	maxFields = 30  // of a type
)

// trackedFiles returns the paths of the committed files.
func trackedFiles(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("git", "ls-files").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}

// written returns the source files that are neither generated nor tests.
func written(t *testing.T, ends ...string) (paths []string) {
	t.Helper()
	for _, path := range trackedFiles(t) {
		isTest := strings.HasSuffix(path, "_test.go") || strings.Contains(path, ".test.")
		isGenerated := strings.Contains("/"+path, "/gen/") || strings.Contains(path, "testdata/") || strings.Contains(path, "goldentest/")
		for _, end := range ends {
			if strings.HasSuffix(path, end) && !isTest && !isGenerated {
				paths = append(paths, path)
			}
		}
	}
	if len(paths) == 0 {
		t.Fatal("no file was found")
	}
	return paths
}

func TestFilesAreShortEnoughToRead(t *testing.T) {
	for _, path := range written(t, ".go", ".ts", ".tsx", ".py") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(text, []byte("\n")); n > maxLines {
			t.Errorf("%s has %d lines, and may have %d: give a noun of it a file of its own", path, n, maxLines)
		}
	}
}

func TestTypesHaveOneJob(t *testing.T) {
	files := token.NewFileSet()
	for _, path := range written(t, ".go") {
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if s, ok := spec.Type.(*ast.StructType); ok && s.Fields.NumFields() > maxFields {
				t.Errorf("%s: %s has %d fields, and may have %d: make several types of it",
					files.Position(spec.Pos()), spec.Name, s.Fields.NumFields(), maxFields)
			}
			return true
		})
	}
}
