package codegen

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/compiler/protogen"
)

// commentWidth is the length of the longest line of the plugin's own comments,
// in runes and without the slashes. Comments of the .proto keep their lines.
const commentWidth = 76

// comment is a Go comment that is built paragraph by paragraph.
type comment struct {
	lines []string
}

// sayf adds a paragraph of the plugin's own text, wrapped.
func (c *comment) sayf(format string, args ...any) {
	c.paragraph(wrap(fmt.Sprintf(format, args...)))
}

// carry adds a comment of the .proto as it is.
func (c *comment) carry(text protogen.Comments) {
	c.paragraph(carriedLines(string(text)))
}

// deprecate adds the paragraph by which Go tools recognize what is deprecated,
// unless the comment of the .proto has one.
func (c *comment) deprecate(reason string) {
	if reason == "" || c.hasDeprecation() {
		return
	}
	c.sayf("Deprecated: %s", reason)
}

func (c *comment) hasDeprecation() bool {
	for i, line := range c.lines {
		starts := i == 0 || c.lines[i-1] == ""
		if starts && strings.HasPrefix(strings.TrimSpace(line), "Deprecated: ") {
			return true
		}
	}
	return false
}

func (c *comment) paragraph(lines []string) {
	if len(lines) == 0 {
		return
	}
	if len(c.lines) > 0 {
		c.lines = append(c.lines, "")
	}
	c.lines = append(c.lines, lines...)
}

func (c *comment) empty() bool { return len(c.lines) == 0 }

// String returns the comment with its slashes and without a newline at the end.
func (c *comment) String() string {
	var b strings.Builder
	for i, line := range c.lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString("//")
		b.WriteString(line)
	}
	return b.String()
}

// carriedLines splits a comment of a .proto into lines that are safe in Go.
// Each starts with a blank, so that none becomes a directive such as
// //go:build. None has a character that Go source must not have.
func carriedLines(text string) []string {
	var lines []string
	for line := range strings.SplitSeq(printable(text), "\n") {
		line = strings.TrimRightFunc(line, unicode.IsSpace)
		if line != "" && line[0] != ' ' && line[0] != '\t' {
			line = " " + line
		}
		// The older form of //go:build is a directive in spite of the blank.
		if rest := strings.TrimSpace(line); strings.HasPrefix(rest, "+build") {
			line = " (" + rest + ")"
		}
		if line == "" && len(lines) == 0 {
			continue
		}
		lines = append(lines, line)
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// printable replaces what the Go compiler refuses in source: control
// characters, byte order marks and invalid UTF-8. It also replaces what makes
// an editor show code in another order.
func printable(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), r == '\uFEFF', isBidi(r):
			return ' '
		default:
			return r // Map hands invalid UTF-8 in as utf8.RuneError, which is valid.
		}
	}, text)
}

// isBidi reports whether r changes the direction in which text is shown.
func isBidi(r rune) bool { return '\u202A' <= r && r <= '\u202E' || '\u2066' <= r && r <= '\u2069' }

// shownPath returns the path of a .proto for use in comments. It is quoted and
// has no blanks, so that it is not wrapped, unless it has only letters, digits
// and "/", "_", "-" and ".". A file may have any name, even one that contains
// lines of Go or a build constraint.
func shownPath(path string) string {
	plain := func(r rune) bool {
		return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("/_-.", r))
	}
	if strings.IndexFunc(path, func(r rune) bool { return !plain(r) }) < 0 {
		return path
	}
	return strings.ReplaceAll(strconv.QuoteToASCII(path), " ", `\x20`)
}

func wrap(text string) []string {
	var lines []string
	line, width := "", 0
	for word := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(word) + 1
		if width > 0 && width+n > commentWidth {
			lines = append(lines, line)
			line, width = "", 0
		}
		line += " " + word
		width += n
	}
	return append(lines, line)
}
