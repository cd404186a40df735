package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestEveryOptionHasAPlaceInTheGuide covers options of servers, clients and calls.
func TestEveryOptionHasAPlaceInTheGuide(t *testing.T) {
	text, err := os.ReadFile("guide.md")
	if err != nil {
		t.Fatal(err)
	}
	guide := string(text)
	options := exportedOptions(t)
	if len(options) < 40 {
		t.Errorf("found %d options: %v", len(options), options)
	}
	for _, name := range options {
		if !strings.Contains(guide, "rpc."+name+"`") && !strings.Contains(guide, "rpc."+name+"(") {
			t.Errorf("docs/guide.md does not name rpc.%s", name)
		}
	}
}

// exportedOptions returns the functions of package rpc that make options.
func exportedOptions(t *testing.T) (names []string) {
	t.Helper()
	kinds := []string{"ServerOption", "ClientOption", "Option", "CallOption", "FollowOption"}
	files, err := filepath.Glob(filepath.Join("..", "rpc", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !f.Name.IsExported() || f.Type.Results == nil {
				continue
			}
			if kind, ok := f.Type.Results.List[0].Type.(*ast.Ident); ok && slices.Contains(kinds, kind.Name) {
				names = append(names, f.Name.Name)
			}
		}
	}
	return names
}
