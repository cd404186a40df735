// Package keys knows which metadata keys of a call the caller must not write.
package keys

import "strings"

// Canonical returns the name that some backend may confuse with a key: in CGI
// and similar interfaces "-", "_" and "." are the same.
func Canonical(key string) string {
	key = strings.ToLower(key)
	key = strings.ReplaceAll(strings.ReplaceAll(key, "_", "-"), ".", "-")
	for strings.HasSuffix(key, "-bin") {
		key = strings.TrimSuffix(key, "-bin")
	}
	return key
}

// CanonicalPattern returns a pattern with names as in Canonical.
func CanonicalPattern(p string) string {
	if start, ok := strings.CutSuffix(p, "*"); ok {
		return strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(start), "_", "-"), ".", "-") + "*"
	}
	return Canonical(p)
}

// Patterns are keys and prefixes of keys; a prefix ends in "*".
type Patterns struct {
	keys   map[string]bool
	starts []string
}

func newPatterns(all ...string) *Patterns {
	p := new(Patterns)
	for _, s := range all {
		p.Add(s)
	}
	return p
}

// Add adds a pattern.
func (p *Patterns) Add(s string) {
	if start, ok := strings.CutSuffix(s, "*"); ok {
		p.starts = append(p.starts, start)
		return
	}
	if p.keys == nil {
		p.keys = make(map[string]bool)
	}
	p.keys[s] = true
}

// Fit returns the precision of the longest pattern that matches a key; 0 if
// none does. A whole key is more precise than a prefix.
func (p *Patterns) Fit(key string) (precision int) {
	if p.keys[key] {
		return 2*len(key) + 2
	}
	for _, start := range p.starts {
		if strings.HasPrefix(key, start) {
			precision = max(precision, 2*len(start)+1)
		}
	}
	return precision
}
