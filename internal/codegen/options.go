package codegen

import (
	"fmt"
	"go/token"
	"path"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
)

// options are the plugin's own options. protogen handles those of all Go
// plugins (paths, module, M and a few more).
type options struct {
	// packageSuffix is appended to the name of the messages' package to name
	// the package of the stubs. If it is empty, both are in one package.
	packageSuffix string
}

func defaultOptions() *options {
	return &options{packageSuffix: "parley"}
}

// set is called with each option that protogen does not know.
func (o *options) set(name, value string) error {
	switch name {
	case "package_suffix":
		o.packageSuffix = value
		return nil
	default:
		return fmt.Errorf("unknown option %q: %s knows package_suffix, paths, module, annotate_code and M<file>=<import path>", name, pluginName)
	}
}

// output is where the stubs of a file are written.
type output struct {
	packageName string
	importPath  protogen.GoImportPath
	fileName    string
}

// output returns an error if the name with the suffix is invalid, or if the
// stubs could not import the messages.
func (o *options) output(file *protogen.File) (output, error) {
	name := string(file.GoPackageName) + o.packageSuffix
	if !token.IsIdentifier(name) {
		return output{}, fmt.Errorf("option package_suffix=%s: %q is not a valid name of a Go package", o.packageSuffix, name)
	}
	prefix := file.GeneratedFilenamePrefix
	if o.packageSuffix == "" {
		return output{name, file.GoImportPath, prefix + ".parley.go"}, nil
	}
	if p := string(file.GoImportPath); p == "." || strings.HasPrefix(p, "./") || strings.HasPrefix(p, "../") {
		return output{}, fmt.Errorf("the Go package %q is a relative path, which Go cannot import: the stubs are in a package of their own "+
			"and have to import the messages. Write the full import path, such as example.com/acme/gen, or use the option package_suffix= "+
			"to put the stubs beside the messages", p)
	}
	return output{
		packageName: name,
		importPath:  protogen.GoImportPath(path.Join(string(file.GoImportPath), name)),
		fileName:    path.Join(path.Dir(prefix), name, path.Base(prefix)+".parley.go"),
	}, nil
}
