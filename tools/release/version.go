package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/mod/semver"
)

// pluginVersion is the file that says which version the plugin has, and so which
// version the repository is.
const pluginVersion = "internal/codegen/version.go"

// A mention is a place where the version stands without its v. The first group of
// the pattern is what precedes the version.
type mention struct {
	files   string // a pattern of filepath.Glob
	pattern *regexp.Regexp
	each    bool // whether each of the files has it
}

const number = `\d+\.\d+\.\d+(?:-(?:alpha|beta|rc)\.\d+)?`

// inText precedes a version in commands of documents.
const inText = `(@parley-rpc/[a-z]+@|parley-rpc-[a-z]+-|parley-rpc/parley[a-z/-]*@v)`

// mentions are all places outside of go.mod files and of what is generated.
var mentions = []mention{
	{pluginVersion, regexp.MustCompile(`(const Version = "v)` + number), true},
	{"web/*/package.json", regexp.MustCompile(`(\n  "version": ")` + number), false},
	{"web/*/package.json", regexp.MustCompile(`("@parley-rpc/[a-z]+": ")` + number), false},
	{"web/package-lock.json", regexp.MustCompile(`("name": "@parley-rpc/[a-z]+",\s+"version": ")` + number), true},
	{"web/package-lock.json", regexp.MustCompile(`("@parley-rpc/[a-z]+": ")` + number), true},
	{"web/client/src/hello.ts", regexp.MustCompile(`(parley-web/)` + number), true},
	{"web/client/test/session.test.ts", regexp.MustCompile(`(parley-web/)` + number), true},
	{"python/pyproject.toml", regexp.MustCompile(`(\nversion = ")` + number), true},
	{"python/parley/session.py", regexp.MustCompile(`(parley-python/)` + number), true},
	{"README.md", regexp.MustCompile(inText + number), false},
	{"docs/*.md", regexp.MustCompile(inText + number), false},
	{"web/*/README.md", regexp.MustCompile(inText + number), false},
}

// version returns the version that the repository is of.
func (r *repository) version() (string, error) {
	text, err := r.read(pluginVersion)
	if err != nil {
		return "", err
	}
	m := regexp.MustCompile(`const Version = "(v` + number + `)"`).FindStringSubmatch(text)
	if m == nil {
		return "", fmt.Errorf("%s declares no Version", pluginVersion)
	}
	return m[1], nil
}

// setVersion writes the version everywhere, and reports whether it was another
// one before.
func (r *repository) setVersion(version string) (changed bool, err error) {
	before, err := r.version()
	if err != nil {
		return false, err
	}
	for _, m := range mentions {
		if err := r.mention(m, strings.TrimPrefix(version, "v")); err != nil {
			return false, err
		}
	}
	folders, err := r.modules()
	if err != nil {
		return false, err
	}
	for _, folder := range folders {
		if err := r.setRequirements(folder, version); err != nil {
			return false, err
		}
	}
	return before != version, nil
}

func (r *repository) mention(m mention, bare string) error {
	files, err := filepath.Glob(r.path(m.files))
	if err != nil {
		return err
	}
	if len(files) == 0 && m.each {
		return fmt.Errorf("there is no %s", m.files)
	}
	for _, file := range files {
		name, err := filepath.Rel(r.dir, file)
		if err != nil {
			return err
		}
		text, err := r.read(name)
		if err != nil {
			return err
		}
		if m.each && !m.pattern.MatchString(text) {
			return fmt.Errorf("%s: no version is found by %s", name, m.pattern)
		}
		if after := m.pattern.ReplaceAllString(text, "${1}"+bare); after != text {
			if err := r.write(name, after); err != nil {
				return err
			}
		}
	}
	return nil
}

// lastTag returns the version of the last release that HEAD has, or "".
func (r *repository) lastTag(ctx context.Context) (string, error) {
	tags, err := r.git(ctx, "tag", "--list", "v*", "--merged", "HEAD")
	if err != nil {
		return "", err
	}
	last := ""
	for tag := range strings.FieldsSeq(tags) {
		if semver.IsValid(tag) && (last == "" || semver.Compare(tag, last) > 0) {
			last = tag
		}
	}
	return last, nil
}

// checkVersion reports why a version cannot be released, as far as the version
// and the tags say.
func (r *repository) checkVersion(ctx context.Context, version string) error {
	if semver.Canonical(version) != version || version == "" {
		return fmt.Errorf("%q is not a version such as v0.1.0", version)
	}
	if semver.Major(version) != "v0" && semver.Major(version) != "v1" {
		return errors.New("from v2 on, the paths of the modules have to end in the major version")
	}
	last, err := r.lastTag(ctx)
	if err != nil {
		return err
	}
	if last != "" && semver.Compare(version, last) <= 0 {
		return fmt.Errorf("%s is not after %s, which is released", version, last)
	}
	for _, folder := range published {
		tag := tagOf(folder, version)
		found, err := r.git(ctx, "tag", "--list", tag)
		if err != nil {
			return err
		}
		if found != "" {
			return fmt.Errorf("the tag %s exists", tag)
		}
	}
	return nil
}
