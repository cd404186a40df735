package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const pathOfACall = "design/path-of-a-call.md"

// TestThePathOfACallNamesWhatExists checks that every name in the document is
// declared, and in a table that the file of its row declares it.
func TestThePathOfACallNamesWhatExists(t *testing.T) {
	text, err := os.ReadFile(pathOfACall)
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]string{} // name, with its package unless that is rpc: file
	declarations(t, "rpc", "", declared)
	declarations(t, "transport", "transport.", declared)

	prose, locks := cutLocks(t, string(text))
	for line := range strings.Lines(prose) {
		var names, files []string
		for _, span := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(line, -1) {
			switch name := span[1]; {
			case strings.Contains(name, "/"):
				if _, err := os.Stat(filepath.Join("..", name)); err != nil {
					t.Errorf("%s names a file that does not exist: %s", pathOfACall, name)
				}
				files = append(files, name)
			case name == "rpc":
			case declared[name] == "":
				t.Errorf("%s names what is not declared: %s", pathOfACall, name)
			default:
				names = append(names, name)
			}
		}
		if !strings.HasPrefix(line, "|") || len(files) == 0 {
			continue
		}
		if step := names[len(names)-1]; declared[step] != files[0] {
			t.Errorf("%s is declared in %s, not in %s", step, declared[step], files[0])
		}
	}
	for _, name := range strings.FieldsFunc(locks, func(r rune) bool { return strings.ContainsRune(" \n->", r) }) {
		if strings.Contains(name, ".") && declared[name] == "" {
			t.Errorf("%s names a lock that is not declared: %s", pathOfACall, name)
		}
	}
}

// cutLocks returns the text without its code block, and the block.
func cutLocks(t *testing.T, text string) (prose, locks string) {
	t.Helper()
	before, rest, _ := strings.Cut(text, "\n```\n")
	locks, after, ok := strings.Cut(rest, "\n```\n")
	if !ok {
		t.Fatalf("%s has no block of locks", pathOfACall)
	}
	return before + "\n" + after, locks
}

// declarations collects what a package declares: Name, Type.method, Type.field.
func declarations(t *testing.T, dir, prefix string, declared map[string]string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		from := dir + "/" + filepath.Base(path)
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				declared[prefix+receiver(d)+d.Name.Name] = from
			case *ast.GenDecl:
				for _, s := range d.Specs {
					declareSpec(s, prefix, from, declared)
				}
			}
		}
	}
}

func declareSpec(s ast.Spec, prefix, from string, declared map[string]string) {
	switch s := s.(type) {
	case *ast.ValueSpec:
		for _, name := range s.Names {
			declared[prefix+name.Name] = from
		}
	case *ast.TypeSpec:
		declared[prefix+s.Name.Name] = from
		if fields, ok := s.Type.(*ast.StructType); ok {
			for _, f := range fields.Fields.List {
				for _, name := range f.Names {
					declared[prefix+s.Name.Name+"."+name.Name] = from
				}
			}
		}
	}
}

// receiver returns "Type." for a method, "" for a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	t := d.Recv.List[0].Type
	if p, ok := t.(*ast.StarExpr); ok {
		t = p.X
	}
	if p, ok := t.(*ast.IndexExpr); ok {
		t = p.X
	}
	if name, ok := t.(*ast.Ident); ok {
		return name.Name + "."
	}
	return ""
}
