package main

import (
	"strings"
	"testing"
	"time"
)

const changelogOfTwo = `# Changelog

## [Unreleased]

## [0.2.0] - 2026-12-01

### Added

- More.

## [0.1.0] - 2026-11-26

- All of it.

[Unreleased]: https://example.com/compare
`

func TestChangelogIsReadBySections(t *testing.T) {
	sections := parseChangelog(changelogOfTwo)
	if len(sections) != 3 || sections[0] != (section{version: "Unreleased"}) ||
		sections[1] != (section{"0.2.0", "2026-12-01", "### Added\n\n- More."}) || sections[2].version != "0.1.0" {
		t.Errorf("got %q", sections)
	}
}

func TestReleaseNeedsItsSectionOfTheChangelog(t *testing.T) {
	replaced := func(from, to string) string { return strings.Replace(changelogOfTwo, from, to, 1) }
	tests := []struct {
		name, text, version, want string
	}{
		{"as it should be", changelogOfTwo, "v0.2.0", ""},
		{"another version", changelogOfTwo, "v0.3.0", "no section ## [0.3.0]"},
		{"an older version", changelogOfTwo, "v0.1.0", "no section ## [0.1.0]"},
		{"something unreleased", replaced("[Unreleased]\n", "[Unreleased]\n\n- New.\n"), "v0.2.0", "[Unreleased] is not empty"},
		{"no section Unreleased", replaced("## [Unreleased]\n", ""), "v0.2.0", "the first section is not [Unreleased]"},
		{"no date", replaced(" - 2026-12-01", ""), "v0.2.0", "has no date"},
		{"no such date", replaced("2026-12-01", "2026-13-01"), "v0.2.0", "has no date"},
		{"nothing in it", replaced("### Added\n\n- More.\n", ""), "v0.2.0", "[0.2.0] is empty"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := checkChangelog(test.text, test.version)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestWhatIsUnreleasedBecomesARelease(t *testing.T) {
	day := time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC)
	told := strings.Replace(changelogOfTwo, "[Unreleased]\n", "[Unreleased]\n\n- New.\n", 1)
	for _, text := range []string{changelogOfTwo, told} {
		released := releaseUnreleased(text, "v0.2.1", day)
		if err := checkChangelog(released, "v0.2.1"); err != nil {
			t.Errorf("%v:\n%s", err, released)
		}
	}
	merged := mergeUnreleased(told)
	if err := checkChangelog(merged, "v0.2.0"); err != nil || !strings.Contains(merged, "2026-12-01\n\n- New.\n\n### Added") {
		t.Errorf("%v:\n%s", err, merged)
	}
}
