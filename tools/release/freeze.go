package main

import (
	"context"
	"embed"
	"errors"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// frozen is what tests/compat/VERSION is made of.
//
//go:embed compat
var frozen embed.FS

const compatFolder = "tests/compat"

// freeze generates code with the plugin as it is and keeps it, with a test that
// calls it: what a release generated must work with each later one. Code of a
// release that has been tagged stays as it is.
func (r *repository) freeze(ctx context.Context, version string) error {
	released, err := r.git(ctx, "tag", "--list", version)
	if err != nil {
		return err
	}
	if released != "" {
		return errors.New(version + " is released: what it generated does not change")
	}
	folder := path.Join(compatFolder, version)
	if err := os.RemoveAll(r.path(folder)); err != nil {
		return err
	}
	words := strings.NewReplacer(
		"VERSION", version,
		"PACKAGE", strings.NewReplacer(".", "_", "-", "_").Replace(version),
	)
	for from, to := range map[string]string{"compat.proto": "compat.proto", "calls_test.go.txt": "calls_test.go"} {
		text, err := frozen.ReadFile("compat/" + from)
		if err != nil {
			return err
		}
		if err := r.write(path.Join(folder, to), words.Replace(string(text))); err != nil {
			return err
		}
	}
	return r.generateFrozen(ctx, version)
}

// generateFrozen runs the plugins. The path of the .proto begins with the version,
// since one program may be linked with the code of several.
func (r *repository) generateFrozen(ctx context.Context, version string) (err error) {
	plugins, err := os.MkdirTemp("", "parley-plugins-")
	if err != nil {
		return err
	}
	defer remove(plugins, &err)
	_, err = command{dir: r.dir}.output(ctx, "go", "build", "-o", plugins+string(filepath.Separator),
		"google.golang.org/protobuf/cmd/protoc-gen-go", "./codegen/protoc-gen-go-parley")
	if err != nil {
		return err
	}
	compat := r.path(compatFolder)
	_, err = command{dir: r.path("tools/stubgen")}.output(ctx, "go", "run", ".",
		"-I", compat, "--out", compat, "--opt", "module="+rootPath+"/"+compatFolder,
		"--plugin", "go="+filepath.Join(plugins, "protoc-gen-go"),
		"--plugin", "go-parley="+filepath.Join(plugins, "protoc-gen-go-parley"),
		version+"/compat.proto")
	return err
}
