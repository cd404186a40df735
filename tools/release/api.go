package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// promised reports whether a package of a published module is one that others
// build on. What is generated from .proto files is held to by buf.
func promised(importPath string) bool {
	rest := strings.TrimPrefix(importPath, rootPath) + "/"
	for _, own := range []string{"/internal/", "/testdata/"} {
		if strings.Contains(rest, own) {
			return false
		}
	}
	for _, own := range []string{"/docs/", "/examples/", "/gen/", "/tests/"} {
		if strings.HasPrefix(rest, own) {
			return false
		}
	}
	return true
}

// checkAPI compares the exported API with that of the last release.
// CHANGELOG.md must name what was removed or changed, in a section Breaking.
// From v1.0.0 on such a change is always an error.
func (r *repository) checkAPI(ctx context.Context) error {
	last, err := r.lastTag(ctx)
	if err != nil {
		return err
	}
	if last == "" {
		r.say("There is no release yet whose API could be kept.")
		return nil
	}
	if err := r.checkFrozen(ctx, last); err != nil {
		return err
	}
	tool, err := r.apidiff(ctx)
	if err != nil {
		return err
	}
	changes, err := r.incompatible(ctx, tool, last)
	if err != nil {
		return err
	}
	text, err := r.read(changelogFile)
	if err != nil {
		return err
	}
	if untold := untold(changes, parseChangelog(text), last); len(untold) > 0 {
		return fmt.Errorf("not compatible with %s, and not named below ### Breaking in the newest section of %s:\n%s",
			last, changelogFile, strings.Join(untold, "\n"))
	}
	r.say("The API is that of %s, or tells how it differs (%d incompatible changes).", last, len(changes))
	return nil
}

// checkFrozen reports an error if the generated code of a release has changed.
func (r *repository) checkFrozen(ctx context.Context, last string) error {
	differs, err := r.git(ctx, "diff", "--name-status", last, "--", compatFolder)
	if err != nil {
		return err
	}
	for line := range strings.Lines(differs) {
		if !strings.HasPrefix(line, "A") {
			return fmt.Errorf("generated code of a release has changed since %s: %s", last, line)
		}
	}
	return nil
}

// apidiff builds the tool that compares, and returns its path.
func (r *repository) apidiff(ctx context.Context) (string, error) {
	return command{dir: r.dir, env: []string{"GOWORK=off"}}.output(ctx,
		"go", "tool", "-modfile="+r.path("tools/go.mod"), "-n", "golang.org/x/exp/cmd/apidiff")
}

// incompatible returns the changes since a tag that break a program, one a line.
func (r *repository) incompatible(ctx context.Context, tool, tag string) (all []string, err error) {
	temporary, err := os.MkdirTemp("", "parley-api-")
	if err != nil {
		return nil, err
	}
	defer remove(temporary, &err)
	old := &repository{dir: filepath.Join(temporary, "old"), out: r.out}
	if _, err := r.git(ctx, "clone", "--quiet", "--branch", tag, r.dir, old.dir); err != nil {
		return nil, err
	}
	for _, folder := range published {
		if _, err := os.Stat(old.path(path.Join(folder, "go.mod"))); err != nil {
			continue // a new module
		}
		changes, err := r.compareModule(ctx, tool, old, folder)
		if err != nil {
			return nil, err
		}
		all = append(all, changes...)
	}
	return all, nil
}

// compareModule compares the promised packages that a module had with what it has.
func (r *repository) compareModule(ctx context.Context, tool string, old *repository, folder string) ([]string, error) {
	was, err := old.promises(ctx, folder)
	if err != nil {
		return nil, err
	}
	is, err := r.promises(ctx, folder)
	if err != nil {
		return nil, err
	}
	var all []string
	for importPath := range was {
		if !is[importPath] {
			all = append(all, importPath+": package removed")
			continue
		}
		exported := filepath.Join(filepath.Dir(old.dir), "exported")
		if _, err := (command{dir: old.path(folder)}).output(ctx, tool, "-w", exported, importPath); err != nil {
			return nil, err
		}
		report, err := command{dir: r.path(folder)}.output(ctx, tool, "-incompatible", exported, importPath)
		if err != nil {
			return nil, err
		}
		all = append(all, changesOf(importPath, report)...)
	}
	return all, nil
}

// promises returns the packages of a module that others build on.
func (r *repository) promises(ctx context.Context, folder string) (map[string]bool, error) {
	list, err := command{dir: r.path(folder)}.output(ctx, "go", "list", "-f", `{{if ne .Name "main"}}{{.ImportPath}}{{end}}`, "./...")
	if err != nil {
		return nil, err
	}
	paths := make(map[string]bool)
	for importPath := range strings.FieldsSeq(list) {
		if promised(importPath) {
			paths[importPath] = true
		}
	}
	return paths, nil
}

// changesOf returns the changes in a report of apidiff.
func changesOf(importPath, report string) []string {
	var changes []string
	for line := range strings.Lines(report) {
		if change, ok := strings.CutPrefix(strings.TrimSpace(line), "- "); ok {
			changes = append(changes, importPath+": "+change)
		}
	}
	return changes
}

// untold returns the changes that the newest sections of a changelog, down to that
// of the last release, do not name below a heading Breaking.
func untold(changes []string, sections []section, last string) []string {
	var told strings.Builder
	for _, s := range sections {
		if "v"+s.version == last {
			break
		}
		if _, breaking, ok := strings.Cut(s.text, "### Breaking\n"); ok {
			breaking, _, _ = strings.Cut(breaking, "\n### ")
			told.WriteString(breaking)
		}
	}
	if !strings.HasPrefix(last, "v0.") {
		return changes
	}
	var missing []string
	for _, change := range changes {
		_, what, _ := strings.Cut(change, ": ")
		name, _, _ := strings.Cut(what, ":")
		if !strings.Contains(told.String(), "`"+name+"`") {
			missing = append(missing, change)
		}
	}
	return missing
}
