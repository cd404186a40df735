package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/semver"
)

// check makes the next release in a temporary clone of HEAD, and proves that what
// it publishes can be installed by version.
func (r *repository) check(ctx context.Context) (err error) {
	temporary, err := os.MkdirTemp("", "parley-release-")
	if err != nil {
		return err
	}
	defer remove(temporary, &err)
	clone, err := r.clone(ctx, filepath.Join(temporary, "parley"))
	if err != nil {
		return err
	}
	version, err := clone.nextRelease(ctx)
	if err != nil {
		return err
	}
	c := &checker{clone: clone, version: version, temporary: temporary}
	steps := []struct {
		what string
		do   func(context.Context) error
	}{
		{"npm ci", c.installPackages},
		{"make release VERSION=" + version, func(ctx context.Context) error { return clone.prepare(ctx, version) }},
		{"generated code, and the rules of modules and packages", c.testRelease},
		{"a module proxy of the tags", c.startProxy},
		{"each module by itself, without go.work", c.buildModules},
		{"go install of the programs", c.installPrograms},
		{"go get of the modules", c.getModules},
		{"the README's first service", c.firstService},
		{"the API beside that of the release", clone.checkAPI},
		{"npm pack, and a page of the packages", c.bundlePage},
	}
	for _, step := range steps {
		started := time.Now()
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
		r.say("ok %6.1f s  %s", time.Since(started).Seconds(), step.what)
	}
	return nil
}

// clone clones what is committed.
func (r *repository) clone(ctx context.Context, dir string) (*repository, error) {
	if dirty, err := r.git(ctx, "status", "--porcelain"); err != nil {
		return nil, err
	} else if dirty != "" {
		r.say("What is not committed is not checked:\n%s", dirty)
	}
	if _, err := r.git(ctx, "clone", "--quiet", r.dir, dir); err != nil {
		return nil, err
	}
	clone := &repository{dir: dir, out: r.out}
	for key, value := range map[string]string{"user.name": "Parley", "user.email": "parley@example.com"} {
		if _, err := clone.git(ctx, "config", key, value); err != nil {
			return nil, err
		}
	}
	return clone, nil
}

// nextRelease returns the version that is to be released next: that of the newest
// section of the changelog or, where that is released, the next patch, for which
// it makes a section of what is unreleased.
func (r *repository) nextRelease(ctx context.Context) (string, error) {
	text, err := r.read(changelogFile)
	if err != nil {
		return "", err
	}
	last, err := r.lastTag(ctx)
	if err != nil {
		return "", err
	}
	sections := parseChangelog(text)
	if len(sections) < 2 {
		return "", fmt.Errorf("%s has no section of a version", changelogFile)
	}
	version := "v" + sections[1].version
	if semver.Compare(version, last) > 0 && sections[0].text == "" {
		return version, nil
	}
	if semver.Compare(version, last) <= 0 {
		version = nextPatch(last)
		text = releaseUnreleased(text, version, time.Now())
	} else { // it is prepared, and more has come since
		text = mergeUnreleased(text)
	}
	if err := r.write(changelogFile, text); err != nil {
		return "", err
	}
	_, err = r.git(ctx, "commit", "--quiet", "--message", "A changelog to check the release with", changelogFile)
	return version, err
}

func nextPatch(version string) string {
	var major, minor, patch int
	if _, err := fmt.Sscanf(version, "v%d.%d.%d", &major, &minor, &patch); err != nil {
		return "v0.0.1"
	}
	return fmt.Sprintf("v%d.%d.%d", major, minor, patch+1)
}

// checker proves things about a release that has been made in a clone.
type checker struct {
	clone     *repository
	version   string
	temporary string
	goEnv     []string // how a user's go command is set up
}

// startProxy sets up the go command of a user: what Parley has published comes
// from the tags of the clone, and the rest from where the machine has it.
func (c *checker) startProxy(ctx context.Context) error {
	proxy := filepath.Join(c.temporary, "proxy")
	err := c.clone.writeProxy(ctx, proxy, c.version, func(folder string) string { return tagOf(folder, c.version) })
	if err != nil {
		return err
	}
	machine, err := c.clone.goVariables(ctx, "GOPROXY", "GOMODCACHE")
	if err != nil {
		return err
	}
	c.goEnv = []string{
		"GOPROXY=file://" + proxy + ",file://" + filepath.Join(machine[1], "cache", "download") + "," + machine[0],
		"GONOSUMDB=" + rootPath,
		// Not the machine's: there the version would stay as it is now.
		"GOMODCACHE=" + filepath.Join(c.temporary, "modules"),
		"GOBIN=" + filepath.Join(c.temporary, "bin"),
		"GOFLAGS=-modcacherw -trimpath", // without the folder in it, the build cache serves the next check too
		"GOWORK=off",
	}
	return nil
}

// goVariables returns variables of go env.
func (r *repository) goVariables(ctx context.Context, names ...string) ([]string, error) {
	values, err := command{dir: r.dir}.output(ctx, "go", append([]string{"env"}, names...)...)
	if err != nil {
		return nil, err
	}
	return strings.Split(values, "\n"), nil
}
