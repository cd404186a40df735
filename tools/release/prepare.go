package main

import (
	"context"
	"errors"
	"os"
	"path"
	"strings"

	"golang.org/x/mod/modfile"
)

// goldens is the folder of the module that tests what the plugin generates.
const goldens = "internal/codegen/goldentest"

// prepare makes the commit and the tags of a release, in the clone alone.
func (r *repository) prepare(ctx context.Context, version string) error {
	if err := r.checkRelease(ctx, version); err != nil {
		return err
	}
	changed, err := r.setVersion(version)
	if err != nil {
		return err
	}
	if err := r.freeze(ctx, version); err != nil {
		return err
	}
	if changed {
		if err := r.generate(ctx); err != nil {
			return err
		}
	}
	if err := r.writeSums(ctx, version); err != nil {
		return err
	}
	if _, err := r.git(ctx, "add", "--all"); err != nil {
		return err
	}
	if _, err := r.git(ctx, "commit", "--quiet", "--allow-empty", "--message", "Release "+version); err != nil {
		return err
	}
	for _, folder := range published {
		tag := tagOf(folder, version)
		if _, err := r.git(ctx, "tag", "--annotate", "--message", "Parley "+version, tag); err != nil {
			return err
		}
		r.say("tagged %s", tag)
	}
	r.say("Nothing is pushed. RELEASE.md says how to publish it, and how to undo it.")
	return nil
}

// generate generates the files that contain the version: stubs, the plugin's
// goldens, the page of the chat.
func (r *repository) generate(ctx context.Context) error {
	r.say("make generate")
	if _, err := (command{dir: r.dir}).output(ctx, "make", "generate"); err != nil {
		return err
	}
	_, err := command{dir: r.path(goldens)}.output(ctx, "go", "test", ".", "-update")
	return err
}

// checkRelease reports why a version cannot be released.
func (r *repository) checkRelease(ctx context.Context, version string) error {
	if err := r.checkVersion(ctx, version); err != nil {
		return err
	}
	dirty, err := r.git(ctx, "status", "--porcelain")
	if err != nil {
		return err
	}
	if dirty != "" {
		return errors.New("the working tree has changes that are not committed:\n" + dirty)
	}
	text, err := r.read(changelogFile)
	if err != nil {
		return err
	}
	return checkChangelog(text, version)
}

// writeSums writes into the go.sum of each published module the hashes of those
// that it requires and that are released with it.
func (r *repository) writeSums(ctx context.Context, version string) error {
	sums := make(map[string]string) // by the path of a module
	for _, folder := range published {
		file, err := r.goMod(folder)
		if err != nil {
			return err
		}
		added := required(file, sums)
		if added != "" {
			if err := r.addSums(folder, added); err != nil {
				return err
			}
		}
		tree, err := r.workingTree(ctx) // with the go.sum that was just written
		if err != nil {
			return err
		}
		if sums[modulePath(folder)], err = r.sums(ctx, folder, version, tree); err != nil {
			return err
		}
	}
	return nil
}

func required(file *modfile.File, sums map[string]string) string {
	var lines strings.Builder
	for _, require := range file.Require {
		lines.WriteString(sums[require.Mod.Path])
	}
	return lines.String()
}

// addSums puts lines into a go.sum in place of those of older releases.
func (r *repository) addSums(folder, lines string) error {
	name := path.Join(folder, "go.sum")
	text, err := r.read(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return r.write(name, sortLines(foreignSums(text)+lines))
}
