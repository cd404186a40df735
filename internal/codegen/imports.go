package codegen

import (
	"fmt"
	"go/token"
	"go/types"
	"path"
	"slices"
	"strings"
	"unicode"

	"google.golang.org/protobuf/compiler/protogen"
)

const (
	contextPackage = protogen.GoImportPath("context")
	rpcPackage     = protogen.GoImportPath("github.com/parley-rpc/parley/rpc")
)

// locals are the parameters and receivers of generated functions. No import may
// have one of these names, because it would be hidden inside the function.
var locals = []string{"c", "ctx", "impl", "in", "opts", "out", "r", "req"}

// imports names the packages that a generated file uses. protogen would name a
// package after its folder ("v1"). imports takes the name of the package clause
// ("pingv1"), and avoids the names that the file declares.
type imports struct {
	self  protogen.GoImportPath
	names map[protogen.GoImportPath]string
	used  map[string]bool

	// implicit reports which packages are imported without a name.
	implicit map[protogen.GoImportPath]bool
}

// newImports starts with the names that no import may have.
func newImports(self protogen.GoImportPath, reserved map[string]bool) *imports {
	im := &imports{
		self:     self,
		names:    make(map[protogen.GoImportPath]string),
		used:     make(map[string]bool),
		implicit: make(map[protogen.GoImportPath]bool),
	}
	for _, name := range slices.Concat(types.Universe.Names(), locals) {
		im.used[name] = true
	}
	for name := range reserved {
		im.used[name] = true
	}
	return im
}

// add imports a package under its own name or, if that is taken, under one that
// includes the folder above it: v1 and chatv1.
func (im *imports) add(importPath protogen.GoImportPath, packageName string) {
	if _, ok := im.names[importPath]; ok || importPath == im.self {
		return
	}
	name := packageName
	if im.used[name] {
		name = letters(path.Base(path.Dir(string(importPath)))) + packageName
	}
	for i := 2; im.used[name] || !token.IsIdentifier(name); i++ {
		name = fmt.Sprintf("%s_%d", packageName, i)
	}
	im.used[name] = true
	im.names[importPath] = name
	im.implicit[importPath] = name == packageName && name == path.Base(string(importPath))
}

func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// addBlank imports a package only for its side effects, unless it is imported
// anyway.
func (im *imports) addBlank(importPath protogen.GoImportPath) {
	if _, ok := im.names[importPath]; !ok && importPath != im.self {
		im.names[importPath] = "_"
	}
}

// ident returns the name by which the file refers to an identifier. The package
// must have been added.
func (im *imports) ident(id protogen.GoIdent) string {
	if id.GoImportPath == im.self {
		return id.GoName
	}
	return im.names[id.GoImportPath] + "." + id.GoName
}

// String returns the import declaration: the standard library, a blank line,
// all other packages.
func (im *imports) String() string {
	var std, others []string
	for importPath, name := range im.names {
		spec := fmt.Sprintf("%s %q", name, string(importPath))
		if im.implicit[importPath] {
			spec = fmt.Sprintf("%q", string(importPath))
		}
		if importPath == contextPackage {
			std = append(std, spec)
		} else {
			others = append(others, spec)
		}
	}
	byPath := func(a, b string) int {
		return strings.Compare(a[strings.IndexByte(a, '"'):], b[strings.IndexByte(b, '"'):])
	}
	slices.SortFunc(others, byPath)
	groups := []string{strings.Join(others, "\n")}
	if len(std) > 0 {
		groups = []string{strings.Join(std, "\n"), groups[0]}
	}
	return "import (\n" + strings.Join(groups, "\n\n") + "\n)"
}
