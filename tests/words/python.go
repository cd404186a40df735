package main

import (
	"regexp"
	"strings"
)

// tokenOfPython matches strings of Python with their prefixes, and comments.
var tokenOfPython = regexp.MustCompile(`(?s)` +
	`#[^\n]*` +
	`|(?:\b[A-Za-z]{1,2})?(?:"""(?:\\.|[^\\])*?"""|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')`)

// commentsOfPython returns the comments and docstrings of a file. A docstring is a
// string in triple quotes that begins its line.
func commentsOfPython(src string) (all []text) {
	line, from := 1, 0
	for _, at := range tokenOfPython.FindAllStringIndex(src, -1) {
		line += strings.Count(src[from:at[0]], "\n")
		from = at[0]
		found := src[at[0]:at[1]]
		if strings.HasPrefix(found, "#") {
			all = append(all, text{line, " " + found[1:]})
		} else if doc, ok := docstring(found); ok && beginsLine(src[:at[0]]) {
			all = append(all, text{line, withoutCode(doc)})
		}
	}
	return all
}

// docstring returns what is between triple quotes.
func docstring(literal string) (string, bool) {
	for _, quotes := range []string{`"""`, `'''`} {
		if doc, ok := strings.CutPrefix(strings.TrimLeft(literal, "rRuU"), quotes); ok {
			return strings.TrimSuffix(doc, quotes), true
		}
	}
	return "", false
}

// beginsLine reports whether what follows before is the first of its line.
func beginsLine(before string) bool {
	return strings.TrimSpace(before[strings.LastIndexByte(before, '\n')+1:]) == ""
}
