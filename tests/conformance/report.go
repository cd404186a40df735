package conformance

import (
	"fmt"
	"strings"
)

// ParseKnown reads a list of known failures: a name a line. # starts a comment.
func ParseKnown(text string) (names []string) {
	for _, l := range strings.Split(text, "\n") {
		l, _, _ = strings.Cut(l, "#")
		if l = strings.TrimSpace(l); l != "" {
			names = append(names, l)
		}
	}
	return names
}

// Text returns the report for people: the failures, the known ones by name, and
// the summary.
func (r *Report) Text() string {
	var b strings.Builder
	for _, c := range r.Failed() {
		fmt.Fprintf(&b, "FAIL %s (spec %s)\n     %s\n", c.Case, c.Spec, c.Failure)
	}
	for _, c := range r.Known() {
		fmt.Fprintf(&b, "known failure %s: %s\n", c.Case, c.Failure)
	}
	return b.String() + r.Summary() + "\n"
}
