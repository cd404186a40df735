package main

import (
	"path"
	"strings"
	"testing"
)

func TestVersionIsSetEverywhere(t *testing.T) {
	r := copied(t)
	before, err := r.version()
	if err != nil {
		t.Fatal(err)
	}
	if changed, err := r.setVersion("v1.23.45"); err != nil || !changed {
		t.Fatal(changed, err)
	}
	for _, folder := range published {
		file, err := r.goMod(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, require := range file.Require {
			if _, ok := publishedFolder(require.Mod.Path); ok && require.Mod.Version != "v1.23.45" {
				t.Errorf("%s requires %s", folder, require.Mod)
			}
		}
	}
	for _, name := range packages {
		text, err := r.read(path.Join("web", name, "package.json"))
		if err != nil || !strings.Contains(text, `"version": "1.23.45"`) || strings.Contains(text, before[1:]+`"`) {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
	// Generated files are generated again. The other places tell of one version, or
	// give an example.
	left, err := r.git(t.Context(), "grep", "-n", "--fixed-strings", before[1:], "--",
		":!*/gen/*", ":!gen", ":!*.sum", ":!*package-lock.json", ":!docs/spec", ":!docs/benchmarks*", ":!tests/compat", ":!examples/chat/page/built",
		":!CHANGELOG.md", ":!RELEASE.md", ":!Makefile", ":!tools", ":!bench/go.mod")
	if err == nil {
		t.Errorf("%s is still in\n%s", before, left)
	}
	if changed, err := r.setVersion("v1.23.45"); err != nil || changed {
		t.Error(changed, err)
	}
}

func TestVersionThatCannotBeReleasedIsRefused(t *testing.T) {
	r := commit(t, t.TempDir(), map[string]string{"file": "text"})
	git(t, r, "tag", "v0.2.0")
	git(t, r, "tag", "ext/otel/v0.3.0")
	for version, want := range map[string]string{
		"v0.2.1": "", "v0.3.0": "the tag ext/otel/v0.3.0 exists", "v0.2.0": "not after v0.2.0", "v0.1.9": "not after v0.2.0",
		"0.3.1": "is not a version", "v0.4": "is not a version", "": "is not a version", "v2.0.0": "major version",
	} {
		err := r.checkVersion(t.Context(), version)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", version, err, want)
		}
	}
}

func TestReleaseNeedsACleanTree(t *testing.T) {
	r := commit(t, t.TempDir(), map[string]string{changelogFile: changelogOfTwo})
	if err := r.checkRelease(t.Context(), "v0.2.0"); err != nil {
		t.Error(err)
	}
	write(t, r.path("left.go"), "package left\n")
	if err := r.checkRelease(t.Context(), "v0.2.0"); err == nil || !strings.Contains(err.Error(), "left.go") {
		t.Errorf("got %v", err)
	}
}

func TestNextReleaseIsWhatTheChangelogSays(t *testing.T) {
	told := strings.Replace(changelogOfTwo, "[Unreleased]\n", "[Unreleased]\n\n- New.\n", 1)
	for _, test := range []struct{ name, text, tag, want string }{
		{"the section is not released", changelogOfTwo, "v0.1.0", "v0.2.0"},
		{"nothing is released", changelogOfTwo, "", "v0.2.0"},
		{"more has come since", told, "v0.1.0", "v0.2.0"},
		{"the section is released", changelogOfTwo, "v0.2.0", "v0.2.1"},
		{"the section is released, and more has come", told, "v0.2.0", "v0.2.1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := commit(t, t.TempDir(), map[string]string{changelogFile: test.text})
			if test.tag != "" {
				git(t, r, "tag", test.tag)
			}
			version, err := r.nextRelease(t.Context())
			if err != nil || version != test.want {
				t.Fatalf("got %s, %v, want %s", version, err, test.want)
			}
			if err := r.checkRelease(t.Context(), version); err != nil {
				t.Error(err)
			}
		})
	}
}
