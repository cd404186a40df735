package main

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// rootPath is the path of the module at the top.
const rootPath = "github.com/parley-rpc/parley"

// published are the folders of the modules that a release tags, each after the
// modules that it requires. The other modules of the repository are for its
// development.
var published = []string{".", "ext/connect", "ext/grpc", "ext/otel", "ext/cluster", "ext/cluster/natsbus", "cmd/parley"}

// modulePath returns the path of the module in a folder.
func modulePath(folder string) string { return path.Join(rootPath, folder) }

// tagOf returns the tag that the go command looks for.
func tagOf(folder, version string) string { return path.Join(folder, version) }

// modules returns the folders of all modules but tools/, which has no packages
// and is kept by go get -tool.
func (r *repository) modules() ([]string, error) {
	var folders []string
	err := filepath.WalkDir(r.dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name := entry.Name(); file != r.dir && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata") {
				return fs.SkipDir
			}
			return nil
		}
		if entry.Name() != "go.mod" {
			return nil
		}
		folder, err := filepath.Rel(r.dir, filepath.Dir(file))
		if folder = filepath.ToSlash(folder); folder != "tools" {
			folders = append(folders, folder)
		}
		return err
	})
	return folders, err
}

// goMod parses the go.mod of a folder.
func (r *repository) goMod(folder string) (*modfile.File, error) {
	name := r.path(path.Join(folder, "go.mod"))
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return modfile.Parse(name, text, nil)
}

// publishedFolder returns the folder of a module that a release tags.
func publishedFolder(importPath string) (folder string, ok bool) {
	if importPath == rootPath {
		return ".", true
	}
	folder, ok = strings.CutPrefix(importPath, rootPath+"/")
	return folder, ok && slices.Contains(published, folder)
}

// setRequirements makes a go.mod require the modules of the repository in a
// version.
func (r *repository) setRequirements(folder, version string) error {
	file, err := r.goMod(folder)
	if err != nil {
		return err
	}
	for _, require := range file.Require {
		if _, ok := publishedFolder(require.Mod.Path); !ok {
			continue
		}
		if err := file.AddRequire(require.Mod.Path, version); err != nil {
			return err
		}
	}
	file.Cleanup()
	text, err := file.Format()
	if err != nil {
		return fmt.Errorf("%s: %w", file.Syntax.Name, err)
	}
	return r.write(path.Join(folder, "go.mod"), string(text))
}
