// Package pick picks what is measured by the patterns of a flag.
package pick

import (
	"fmt"
	"path"
	"strings"
)

// Named returns those of all whose name matches one of the patterns, which
// commas separate. A pattern is one of path.Match in which a star may also
// stand for a slash. A pattern that matches nothing is an error.
func Named[T any](patterns string, all []T, name func(T) string) (picked []T, err error) {
	used := make(map[string]bool)
	for _, one := range all {
		matches := false
		for p := range strings.SplitSeq(patterns, ",") {
			ok, err := path.Match(flat(p), flat(name(one)))
			if err != nil {
				return nil, fmt.Errorf("%q: %w", p, err)
			}
			if ok {
				used[p], matches = true, true
			}
		}
		if matches {
			picked = append(picked, one)
		}
	}
	for p := range strings.SplitSeq(patterns, ",") {
		if !used[p] {
			return nil, fmt.Errorf("nothing is named %q: there is %s", p, Names(all, name))
		}
	}
	return picked, nil
}

func flat(name string) string { return strings.ReplaceAll(name, "/", " ") }

// Names returns the names of all, in order.
func Names[T any](all []T, name func(T) string) string {
	list := make([]string, len(all))
	for i, one := range all {
		list[i] = name(one)
	}
	return strings.Join(list, ", ")
}
