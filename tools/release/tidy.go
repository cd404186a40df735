package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// errNotTidy is the result of a check that found something.
var errNotTidy = errors.New("not tidy: make tidy")

// checkTidy reports which go.mod and go.sum are not what go mod tidy gives.
func (r *repository) checkTidy(ctx context.Context) error {
	found := false
	err := r.eachTidy(ctx, func(name, got, want string) error {
		if got != want {
			found = true
			r.say("%s is not tidy; it would be\n%s", name, want)
		}
		return nil
	})
	if err == nil && found {
		return errNotTidy
	}
	return err
}

// writeTidy writes each go.mod and go.sum as go mod tidy gives it.
func (r *repository) writeTidy(ctx context.Context) error {
	return r.eachTidy(ctx, func(name, got, want string) error {
		if got == want {
			return nil
		}
		r.say("%s", name)
		return r.write(name, want)
	})
}

// eachTidy calls do with each go.mod and go.sum as it is and as it is to be.
func (r *repository) eachTidy(ctx context.Context, do func(name, got, want string) error) error {
	folders, err := r.modules()
	if err != nil {
		return err
	}
	for _, folder := range folders {
		mod, sum, err := r.tidy(ctx, folder)
		if err != nil {
			return err
		}
		for name, want := range map[string]string{"go.mod": mod, "go.sum": sum} {
			name = path.Join(folder, name)
			got, err := r.read(name)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
			if err := do(name, got, want); err != nil {
				return err
			}
		}
	}
	return nil
}

// tidy returns the go.mod and the go.sum of a module as go mod tidy gives them when
// the other modules are as they are here. go mod tidy does not know of go.work, and
// would ask for a version that is not released yet: so it gets a go.mod that has
// each module of the repository replaced, which leaves the rest as it is.
func (r *repository) tidy(ctx context.Context, folder string) (mod, sum string, err error) {
	temporary, err := os.MkdirTemp("", "parley-tidy-")
	if err != nil {
		return "", "", err
	}
	defer remove(temporary, &err)
	file, err := r.goMod(folder)
	if err != nil {
		return "", "", err
	}
	added, err := r.replacePublished(file, folder)
	if err != nil {
		return "", "", err
	}
	sum, err = r.read(path.Join(folder, "go.sum"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", "", err
	}
	modFile, sumFile := filepath.Join(temporary, "tidy.mod"), filepath.Join(temporary, "tidy.sum")
	err = errors.Join(writeMod(modFile, file), os.WriteFile(sumFile, []byte(foreignSums(sum)), 0o600))
	if err != nil {
		return "", "", err
	}
	work := command{dir: r.path(folder), env: []string{"GOWORK=off"}}
	if _, err := work.output(ctx, "go", "mod", "tidy", "-modfile="+modFile); err != nil {
		return "", "", err
	}
	if mod, err = readMod(modFile, added); err != nil {
		return "", "", err
	}
	tidied, err := os.ReadFile(sumFile)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", "", err
	}
	return mod, sortLines(string(tidied) + ownSums(sum)), nil
}

// replacePublished replaces the modules that a release tags by their folders, apart
// from those that the file replaces itself, and returns the paths of those it did.
func (r *repository) replacePublished(file *modfile.File, folder string) (added []string, err error) {
	for _, other := range published {
		name := modulePath(other)
		replaces := func(replace *modfile.Replace) bool { return replace.Old.Path == name }
		if other == folder || slices.ContainsFunc(file.Replace, replaces) {
			continue
		}
		if err := file.AddReplace(name, "", r.path(other), ""); err != nil {
			return nil, err
		}
		added = append(added, name)
	}
	return added, nil
}

func writeMod(name string, file *modfile.File) error {
	text, err := file.Format()
	if err != nil {
		return err
	}
	return os.WriteFile(name, text, 0o600)
}

// readMod returns a go.mod without some of its replacements.
func readMod(name string, drop []string) (string, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	file, err := modfile.Parse(name, text, nil)
	if err != nil {
		return "", err
	}
	for _, replaced := range drop {
		if err := file.DropReplace(replaced, ""); err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
	}
	file.Cleanup()
	text, err = file.Format()
	return string(text), err
}

// foreignSums returns the lines of a go.sum that are not of published modules.
func foreignSums(sum string) string { return filterLines(sum, func(own bool) bool { return !own }) }

// ownSums returns those that are.
func ownSums(sum string) string { return filterLines(sum, func(own bool) bool { return own }) }

func filterLines(sum string, keep func(own bool) bool) string {
	var kept strings.Builder
	for line := range strings.Lines(sum) {
		name, _, _ := strings.Cut(line, " ")
		if _, own := publishedFolder(name); keep(own) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// sortLines sorts the lines of a go.sum as the go command does.
func sortLines(sum string) string {
	lines := slices.Collect(strings.Lines(sum))
	slices.SortFunc(lines, func(a, b string) int {
		nameA, restA, _ := strings.Cut(a, " ")
		nameB, restB, _ := strings.Cut(b, " ")
		versionA, _, _ := strings.Cut(strings.Replace(restA, "/", " ", 1), " ")
		versionB, _, _ := strings.Cut(strings.Replace(restB, "/", " ", 1), " ")
		return cmp.Or(strings.Compare(nameA, nameB), semver.Compare(versionA, versionB), strings.Compare(a, b))
	})
	return strings.Join(slices.Compact(lines), "")
}
