package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	"github.com/bufbuild/protocompile/reporter"
)

// source is a set of compiled files.
type source struct {
	files linker.Files // those to generate for, in the order given
}

// compile reads files and what they import. Its error holds all that is wrong with them, a line each.
func compile(ctx context.Context, imports, files []string, warnings io.Writer) (*source, error) {
	names := make([]string, 0, len(files))
	for _, f := range files {
		name, err := importName(imports, f)
		if err != nil {
			return nil, fmt.Errorf("stubgen: %w", err)
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	var faults []error
	collect := func(err reporter.ErrorWithPos) error {
		faults = append(faults, err)
		return nil
	}
	warn := func(err reporter.ErrorWithPos) {
		fmt.Fprintf(warnings, "%s: warning: %v\n", err.GetPosition(), err.Unwrap())
	}
	compiler := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(folders(imports)),
		SourceInfoMode: protocompile.SourceInfoStandard,
		Reporter:       reporter.NewReporter(collect, warn),
	}
	compiled, err := compiler.Compile(ctx, names...)
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if err != nil {
		return nil, fmt.Errorf("stubgen: %w", err)
	}
	return &source{files: compiled}, nil
}

// folders resolves imports to files below dirs.
func folders(dirs []string) protocompile.ResolverFunc {
	return func(name string) (protocompile.SearchResult, error) {
		dir := lookup(dirs, filepath.FromSlash(name))
		if dir == "" {
			return protocompile.SearchResult{}, noSuchFile(dirs, name)
		}
		f, err := os.Open(filepath.Join(dir, filepath.FromSlash(name))) // the compiler closes it
		return protocompile.SearchResult{Source: f}, err
	}
}

func noSuchFile(dirs []string, name string) error {
	return fmt.Errorf("%s: no such file (-I %s)", name, strings.Join(dirs, " -I "))
}

// importName finds the name that an import would call file by. As with protoc, file is a path on disk below one
// of the folders of imports, or else the name itself.
func importName(imports []string, file string) (string, error) {
	if onDisk(file) {
		for _, dir := range imports {
			name, err := filepath.Rel(dir, file)
			if err != nil || !filepath.IsLocal(name) {
				continue
			}
			if first := lookup(imports, name); first != dir {
				return "", fmt.Errorf("%s is hidden by %s", file, filepath.Join(first, name))
			}
			return filepath.ToSlash(name), nil
		}
	}
	if filepath.IsLocal(file) && lookup(imports, file) != "" {
		return filepath.ToSlash(filepath.Clean(file)), nil
	}
	if onDisk(file) {
		return "", fmt.Errorf("%s is not below an import folder (-I %s)", file, strings.Join(imports, " -I "))
	}
	return "", noSuchFile(imports, file)
}

// lookup returns the first folder of imports that holds name, or "".
func lookup(imports []string, name string) string {
	for _, dir := range imports {
		if onDisk(filepath.Join(dir, name)) {
			return dir
		}
	}
	return ""
}

func onDisk(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
