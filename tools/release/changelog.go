package main

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

const changelogFile = "CHANGELOG.md"

// section is what CHANGELOG.md says of a version, or of what is not released yet.
type section struct {
	version string // without v; "Unreleased"
	date    string
	text    string
}

var sectionHeading = regexp.MustCompile(`(?m)^## \[([^\]]+)\](?: - (\S+))?$`)

// parseChangelog returns the sections of a changelog, newest first.
func parseChangelog(text string) []section {
	headings := sectionHeading.FindAllStringSubmatchIndex(text, -1)
	sections := make([]section, len(headings))
	for i, h := range headings {
		end := len(text)
		if i+1 < len(headings) {
			end = headings[i+1][0]
		}
		date := ""
		if h[4] >= 0 {
			date = text[h[4]:h[5]]
		}
		sections[i] = section{text[h[2]:h[3]], date, strings.TrimSpace(text[h[1]:end])}
	}
	return sections
}

// checkChangelog reports why a changelog is not fit for the release of a version.
func checkChangelog(text, version string) error {
	sections := parseChangelog(text)
	if len(sections) == 0 || sections[0].version != "Unreleased" {
		return fmt.Errorf("%s: the first section is not [Unreleased]", changelogFile)
	}
	if sections[0].text != "" {
		return fmt.Errorf("%s: [Unreleased] is not empty: move it to the section of %s", changelogFile, version)
	}
	want := strings.TrimPrefix(version, "v")
	if len(sections) < 2 || sections[1].version != want {
		return fmt.Errorf("%s: there is no section ## [%s] - YYYY-MM-DD below [Unreleased]", changelogFile, want)
	}
	if _, err := time.Parse(time.DateOnly, sections[1].date); err != nil {
		return fmt.Errorf("%s: [%s] has no date: %w", changelogFile, want, err)
	}
	if sections[1].text == "" {
		return fmt.Errorf("%s: [%s] is empty", changelogFile, want)
	}
	return nil
}

// releaseUnreleased returns a changelog whose section [Unreleased] has become that
// of a version.
func releaseUnreleased(text, version string, date time.Time) string {
	const heading = "## [Unreleased]\n"
	before, after, _ := strings.Cut(text, heading)
	released := fmt.Sprintf("## [%s] - %s\n", strings.TrimPrefix(version, "v"), date.Format(time.DateOnly))
	if strings.HasPrefix(strings.TrimSpace(after), "## ") { // nothing is told yet
		released += "\n- Nothing.\n"
	}
	return before + heading + "\n" + released + after
}

// mergeUnreleased returns a changelog whose section [Unreleased] has become part of
// the section below it, which is not released either.
func mergeUnreleased(text string) string {
	sections := parseChangelog(text)
	heading := fmt.Sprintf("## [%s] - %s\n", sections[1].version, sections[1].date)
	text = strings.Replace(text, "\n"+sections[0].text+"\n", "", 1)
	return strings.Replace(text, heading, heading+"\n"+sections[0].text+"\n", 1)
}
