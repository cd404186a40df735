package main

import (
	"slices"
	"strings"
	"testing"
)

func TestWhatIsTakenFromTheAPIIsFound(t *testing.T) {
	tool, err := here(t).apidiff(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	texts := smallModules()
	texts["internal/secret/secret.go"] = "package secret\n\nfunc Tell() {}\n"
	texts["tests/rig/rig.go"] = "package rig\n\nfunc Up() {}\n"
	texts["ext/otel/doc.go"] = "package parley\n\ntype Option struct{ Old int }\n"
	r := commit(t, t.TempDir(), texts)
	git(t, r, "tag", "v0.1.0")
	write(t, r.path("rpc/rpc.go"), "package rpc\n\nfunc Call(name string) {}\n\nfunc More() {}\n")
	write(t, r.path("internal/secret/secret.go"), "package secret\n")
	write(t, r.path("tests/rig/rig.go"), "package rig\n")
	write(t, r.path("ext/otel/doc.go"), "package parley\n\ntype Option struct{ New int }\n")
	changes, err := r.incompatible(t.Context(), tool, "v0.1.0")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(changes)
	want := []string{
		rootPath + "/ext/otel: Option.Old: removed",
		rootPath + "/rpc: Call: changed from func() to func(string)",
		rootPath + "/rpc: Hang: removed",
	}
	if !slices.Equal(changes, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(changes, "\n"), strings.Join(want, "\n"))
	}
}

func TestChangesThatBreakAreInTheChangelog(t *testing.T) {
	changes := []string{"p: Call: changed from func() to func(string)", "p: Hang: removed"}
	sections := func(text string) []section {
		return parseChangelog("## [Unreleased]\n\n" + text + "\n\n## [0.1.0] - 2026-11-26\n\n### Breaking\n\n- `Hang`.\n")
	}
	for _, test := range []struct {
		name, text, last string
		want             []string
	}{
		{"none told", "", "v0.1.0", changes},
		{"one told", "### Breaking\n\n- `Call` takes a name.\n", "v0.1.0", changes[1:]},
		{"both told", "### Breaking\n\n- `Call` takes a name, and `Hang` is gone.\n", "v0.1.0", nil},
		{"told as an addition", "### Breaking\n\n- `Call`.\n\n### Added\n\n- `Hang`.\n", "v0.1.0", changes[1:]},
		{"after v1, telling is not enough", "### Breaking\n\n- `Call` and `Hang`.\n", "v1.0.0", changes},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := untold(changes, sections(test.text), test.last); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestGeneratedCodeOfAReleaseDoesNotChange(t *testing.T) {
	r := commit(t, t.TempDir(), map[string]string{"tests/compat/v0.1.0/gen/a.go": "package a\n"})
	git(t, r, "tag", "v0.1.0")
	write(t, r.path("tests/compat/v0.2.0/gen/a.go"), "package a\n")
	git(t, r, "add", "--all")
	if err := r.checkFrozen(t.Context(), "v0.1.0"); err != nil {
		t.Error(err)
	}
	write(t, r.path("tests/compat/v0.1.0/gen/a.go"), "package b\n")
	if err := r.checkFrozen(t.Context(), "v0.1.0"); err == nil {
		t.Error("a change is not found")
	}
	if err := r.freeze(t.Context(), "v0.1.0"); err == nil || !strings.Contains(err.Error(), "is released") {
		t.Errorf("got %v", err)
	}
}

// A module without a release has no API to keep.
func TestWithoutAReleaseThereIsNoAPIToKeep(t *testing.T) {
	r := commit(t, t.TempDir(), smallModules())
	var out strings.Builder
	r.out = &out
	if err := r.checkAPI(t.Context()); err != nil || !strings.HasPrefix(out.String(), "There is no release yet") {
		t.Errorf("%v: %s", err, &out)
	}
}
