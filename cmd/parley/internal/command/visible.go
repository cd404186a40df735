package command

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// visible makes control characters visible, which a terminal would obey: most
// of the output comes from a server. Line breaks and tabs are kept.
type visible struct{ to io.Writer }

func (v visible) Write(text []byte) (int, error) {
	if _, err := io.WriteString(v.to, escaped(string(text), "\n\t")); err != nil {
		return 0, err
	}
	return len(text), nil
}

// escaped escapes control characters except those in keep, and characters that
// change the direction of text, as JSON does: inside a JSON string the meaning
// is the same. It escapes a byte that is not UTF-8, which terminals may take
// for a control character, as Go does.
func escaped(text, keep string) string {
	if strings.IndexFunc(text, isUnsafe) < 0 && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[0])
		case isUnsafe(r) && !strings.ContainsRune(keep, r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
		text = text[size:]
	}
	return b.String()
}

// isUnsafe reports whether r is a control character (C0, DEL, C1) or changes
// the direction of text.
func isUnsafe(r rune) bool {
	return unicode.IsControl(r) || '\u202A' <= r && r <= '\u202E' || '\u2066' <= r && r <= '\u2069'
}
