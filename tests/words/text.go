package main

import (
	"path"
	"regexp"
	"strings"
)

// text is prose of a file: a comment, comments on successive lines, or a document.
type text struct {
	line int // of its beginning
	body string
}

// textsOf returns the prose of a file.
func textsOf(name, src string) []text {
	switch path.Ext(name) {
	case ".md":
		return []text{{1, withoutCode(src)}}
	case ".py", ".pyi":
		return join(commentsOfPython(src))
	}
	return join(comments(src))
}

var codeOfMarkdown = regexp.MustCompile("(?ms)^ *```.*?^ *```$|`[^`\n]+`")

// withoutCode returns Markdown without its fenced blocks and code spans; lines stay
// where they are.
func withoutCode(markdown string) string {
	return codeOfMarkdown.ReplaceAllStringFunc(markdown, blank)
}

// blank returns the line breaks of s.
func blank(s string) string { return strings.Repeat("\n", strings.Count(s, "\n")) }

// token matches what may contain the beginning of a comment without being one, and
// comments. Literals of regular expressions are those behind an operator or a bracket.
var token = regexp.MustCompile(`(?s)` +
	`//[^\n]*|/\*.*?\*/` +
	`|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|` + "`(?:\\\\.|[^`\\\\])*`" +
	`|[=(,:\[!&|?{};+]\s*/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/*\\\n\[])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])*/`)

// comments returns the comments of a file in Go, TypeScript or Protocol Buffers.
func comments(src string) (all []text) {
	line, from := 1, 0
	for _, at := range token.FindAllStringIndex(src, -1) {
		line += strings.Count(src[from:at[0]], "\n")
		from = at[0]
		found := src[at[0]:at[1]]
		if strings.HasPrefix(found, "//") || strings.HasPrefix(found, "/*") {
			all = append(all, text{line, withoutMarks(found)})
		}
	}
	return all
}

var marks = regexp.MustCompile(`(?m)^\s*(?://|/\*+|\*+/|\*)|\*/$`)

// withoutMarks returns what a comment says.
func withoutMarks(comment string) string { return marks.ReplaceAllString(comment, " ") }

// join joins comments on successive lines, as a phrase may be wrapped.
func join(all []text) (joined []text) {
	for _, t := range all {
		if n := len(joined); n > 0 {
			last := &joined[n-1]
			if end := last.line + strings.Count(last.body, "\n"); t.line == end+1 {
				last.body += "\n" + t.body
				continue
			}
		}
		joined = append(joined, t)
	}
	return joined
}
