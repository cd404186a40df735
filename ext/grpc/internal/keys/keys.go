// Package keys tells which keys of a call's metadata are not the caller's to write.
package keys

import "strings"

// Canonical returns the name that some backend may take a key for: programs behind CGI
// and its like see one name where "-", "_" and "." differ.
func Canonical(key string) string {
	key = strings.ToLower(key)
	key = strings.ReplaceAll(strings.ReplaceAll(key, "_", "-"), ".", "-")
	for strings.HasSuffix(key, "-bin") {
		key = strings.TrimSuffix(key, "-bin")
	}
	return key
}

// CanonicalPattern returns a pattern of names as Canonical has them.
func CanonicalPattern(p string) string {
	if start, ok := strings.CutSuffix(p, "*"); ok {
		return strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(start), "_", "-"), ".", "-") + "*"
	}
	return Canonical(p)
}

// Patterns are keys and beginnings of keys, which have a "*" behind them.
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

// Fit returns how precise the longest pattern is that fits a key; 0 if none does. A key
// as a whole is more precise than its beginning.
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
