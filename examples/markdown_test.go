package examples_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// root is the repository's root, seen from this package.
const root = ".."

// documents are the documents whose code is tested.
var documents = []string{"README.md", "docs/guide.md", "docs/observability.md", "docs/cli.md", "docs/gateway.md", "docs/grpc.md", "docs/connect.md", "docs/browser.md", "docs/python.md", "docs/cluster.md", "docs/design/flow.md"}

// startDocument has the steps to a first service.
const startDocument = "docs/start.md"

// block is a fenced block of a document. Before each is a comment that says how
// it is tested:
//
//	<!-- from: FILE REGION -->  it is that region of a program, or the whole file
//	<!-- part: DOCUMENT PATH -->  it is a part of that file of a new project in that document
//	<!-- file: PATH -->         it is written to that file of a new project
//	<!-- run -->                it is run there
//	<!-- run in the background -->
//	<!-- output -->             what was run before prints it
//	<!-- session -->            it is run by a test of cmd/parley, which prints what is there
//	<!-- session in the background -->
//	<!-- shown -->              it is not run here, for a reason in TestShownCommands
type block struct {
	where    string // "README.md:17"
	language string
	how, arg string // "from", "FILE REGION"
	text     string
}

// blocks returns the fenced blocks of a document.
func blocks(t *testing.T, document string) []block {
	t.Helper()
	var all []block
	var open *block
	before := ""
	for i, line := range strings.Split(read(t, document), "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case open == nil && isFence:
			open = &block{where: fmt.Sprintf("%s:%d", document, i+1), language: fence}
			comment, ok := strings.CutPrefix(before, "<!-- ")
			if !ok {
				t.Fatalf("%s: no comment before the block says how it is tested", open.where)
			}
			open.how, open.arg, _ = strings.Cut(strings.TrimSuffix(comment, " -->"), ": ")
		case open != nil && isFence:
			all, open = append(all, *open), nil
		case open != nil:
			open.text += line + "\n"
		}
		before = line
	}
	if open != nil {
		t.Fatalf("%s: the block has no end", open.where)
	}
	return all
}

// read returns the text of a file of the repository.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// region returns the lines between //snippet:NAME and //snippet:end of a file;
// in Python the marks begin with "# snippet:". It removes their common indentation, and comments for the linter.
func region(t *testing.T, path, name string) string {
	t.Helper()
	mark := "//snippet:"
	if filepath.Ext(path) == ".py" {
		mark = "# snippet:"
	}
	_, rest, ok := strings.Cut(read(t, path), mark+name+"\n")
	if !ok {
		t.Fatalf("%s has no region %s", path, name)
	}
	if strings.Contains(rest, mark+name+"\n") {
		t.Fatalf("%s has the region %s twice", path, name)
	}
	text, _, ok := strings.Cut(rest, mark+"end\n")
	if !ok {
		t.Fatalf("the region %s of %s has no end", name, path)
	}
	lines := strings.Split(strings.Trim(strings.TrimRight(text, "\t "), "\n"), "\n")
	indent := lines[0][:len(lines[0])-len(strings.TrimLeft(lines[0], "\t "))]
	for i, line := range lines {
		line, _, _ = strings.Cut(line, " //nolint:")
		lines[i] = strings.TrimPrefix(line, indent)
	}
	return strings.Join(lines, "\n") + "\n"
}
