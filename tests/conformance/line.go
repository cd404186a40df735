package conformance

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// line is one step of a case: a mark, a verb, and what it is about.
type line struct {
	number int    // in its file
	text   string // as it was read
	mark   string // ">", "+", "<", "!" or "?"
	verb   string
	words  []string // bare words behind the verb, in order
	args   []arg    // key=value, in order
	bodies []string // JSON objects, in order
}

// arg is one key=value. The value of key="a b" has no quotes.
type arg struct{ key, value string }

// parseLine reads a step.
func parseLine(number int, text string) (line, error) {
	l := line{number: number, text: text}
	tokens, err := tokens(text)
	if err != nil {
		return l, err
	}
	if len(tokens) < 2 {
		return l, fmt.Errorf("a step has a mark and a verb: %q", text)
	}
	l.mark, l.verb = tokens[0], tokens[1]
	if !slices.Contains([]string{">", "+", "<", "!", "?"}, l.mark) {
		return l, fmt.Errorf("unknown mark %q: use one of > + < ! ?", l.mark)
	}
	for _, t := range tokens[2:] {
		key, value, isArg := strings.Cut(t, "=")
		switch {
		case strings.HasPrefix(t, "{"):
			l.bodies = append(l.bodies, t)
		case isArg:
			value, err := unquoted(value)
			if err != nil {
				return l, fmt.Errorf("%s: %w", key, err)
			}
			l.args = append(l.args, arg{key, value})
		default:
			l.words = append(l.words, t)
		}
	}
	return l, nil
}

func unquoted(s string) (string, error) {
	if strings.HasPrefix(s, `"`) {
		return strconv.Unquote(s)
	}
	return s, nil
}

// tokens splits a text at spaces, except inside quotes and braces.
func tokens(text string) (list []string, err error) {
	var now strings.Builder
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quoted && c == '\\' && i+1 < len(text):
			now.WriteByte(c)
			i++
			c = text[i]
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{':
			depth++
		case c == '}':
			depth--
		case c == ' ' && depth == 0:
			if now.Len() > 0 {
				list = append(list, now.String())
				now.Reset()
			}
			continue
		}
		now.WriteByte(c)
	}
	if quoted || depth != 0 {
		return nil, fmt.Errorf("a quote or a brace is open: %q", text)
	}
	if now.Len() > 0 {
		list = append(list, now.String())
	}
	return list, nil
}

// get returns the value of a key, and whether it is there.
func (l *line) get(key string) (string, bool) {
	for _, a := range l.args {
		if a.key == key {
			return a.value, true
		}
	}
	return "", false
}

// number returns the value of a key as a number, or other if it is absent.
func (l *line) number64(key string, other uint64) (uint64, error) {
	value, ok := l.get(key)
	if !ok {
		return other, nil
	}
	return number(value)
}

// number reads a decimal number, or max for 2^53-1.
func number(text string) (uint64, error) {
	if text == "max" {
		return maxVarint, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no number", text)
	}
	return n, nil
}

// word returns the bare word at a place, or an empty text.
func (l *line) word(i int) string {
	if i < len(l.words) {
		return l.words[i]
	}
	return ""
}

// has reports whether a bare word is there.
func (l *line) has(word string) bool {
	for _, w := range l.words {
		if w == word {
			return true
		}
	}
	return false
}
