package conformance

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The roles of an implementation under test.
const (
	Dialer   = "dialer"
	Acceptor = "acceptor"
)

// defaultLimit is how long a case may take that does not say so.
const defaultLimit = 20 * time.Second

// Case is one case, in one role of the implementation under test.
type Case struct {
	Name  string // such as "calls/unary@dialer"
	Group string // the file: "calls"
	Spec  string // the sections or rows of the protocol that it is about
	Role  string // what the implementation under test is

	needs    []string // features that the implementation may not have
	settings []arg    // of the HELLO of the implementation under test
	bearer   string   // the credential that a dialer sends
	limit    time.Duration
	steps    []line
	lenient  bool // frames that are not expected do not fail the case
}

//go:embed cases/*.txt
var caseFiles embed.FS

// Cases returns all cases: those of the files, and those of the vectors.
func Cases() ([]Case, error) {
	names, err := fs.Glob(caseFiles, "cases/*.txt")
	if err != nil {
		return nil, err
	}
	var cases []Case
	for _, name := range names {
		text, err := caseFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		of, err := parseCases(strings.TrimSuffix(path.Base(name), ".txt"), string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		cases = append(cases, of...)
	}
	of, err := vectorCases()
	if err != nil {
		return nil, err
	}
	return append(cases, of...), nil
}

// parseCases reads a file of cases. docs/conformance.md describes the form.
func parseCases(group, text string) (cases []Case, err error) {
	var blocks [][]numbered
	for i, l := range strings.Split(text, "\n") {
		l = strings.TrimSpace(l)
		switch {
		case l == "" || strings.HasPrefix(l, "#"):
		case strings.HasPrefix(l, "case "):
			blocks = append(blocks, []numbered{{i + 1, l}})
		case len(blocks) == 0:
			return nil, fmt.Errorf("line %d: a step before the first case", i+1)
		default:
			blocks[len(blocks)-1] = append(blocks[len(blocks)-1], numbered{i + 1, l})
		}
	}
	for _, b := range blocks {
		of, err := expand(group, b)
		if err != nil {
			return nil, err
		}
		cases = append(cases, of...)
	}
	return cases, nil
}

// numbered is a line of a file.
type numbered struct {
	number int
	text   string
}

// expand makes the cases of a block: one for each role, and for each value of
// "each NAME VALUE..." or "each A:B 1:2 3:4".
func expand(group string, block []numbered) (cases []Case, err error) {
	variants := []map[string]string{{}}
	for _, l := range block {
		list, ok := strings.CutPrefix(l.text, "each ")
		names, values, hasValues := strings.Cut(list, " ")
		if !ok || !hasValues {
			continue
		}
		variants = nil
		for _, v := range eachValue(values) {
			variant := map[string]string{"": strings.ReplaceAll(v, ":", "-")}
			bound := strings.Split(v, ":")
			for i, name := range strings.Split(names, ":") {
				if i < len(bound) {
					variant[name] = bound[i]
				}
			}
			variants = append(variants, variant)
		}
	}
	for _, variant := range variants {
		c, err := parseCase(group, block, variant)
		if err != nil {
			return nil, err
		}
		roles := []string{c.Role}
		if c.Role == "" {
			roles = []string{Dialer, Acceptor}
		}
		for _, role := range roles {
			one := c
			one.Role, one.Name = role, c.Name+"@"+role
			cases = append(cases, one)
		}
	}
	return cases, nil
}

// eachValue returns the values of a list: words, or a range such as 0..40.
func eachValue(list string) (values []string) {
	for _, w := range strings.Fields(list) {
		from, to, isRange := strings.Cut(w, "..")
		a, errA := strconv.Atoi(from)
		b, errB := strconv.Atoi(to)
		if !isRange || errA != nil || errB != nil {
			values = append(values, w)
			continue
		}
		for ; a <= b; a++ {
			values = append(values, strconv.Itoa(a))
		}
	}
	return values
}

func parseCase(group string, block []numbered, variant map[string]string) (Case, error) {
	c := Case{Group: group, Name: group + "/" + strings.TrimPrefix(block[0].text, "case "), limit: defaultLimit}
	if suffix := variant[""]; suffix != "" {
		c.Name += "-" + suffix
	}
	block = slices.Clone(block)
	for name, value := range variant {
		for i := range block {
			if name != "" {
				block[i].text = strings.ReplaceAll(block[i].text, "$"+name, value)
			}
		}
	}
	for _, l := range block[1:] {
		if err := c.add(l); err != nil {
			return c, fmt.Errorf("line %d: %w", l.number, err)
		}
	}
	c.addNeeds()
	if c.Spec == "" || len(c.steps) == 0 {
		return c, fmt.Errorf("line %d: %s needs a line \"spec\" and steps", block[0].number, c.Name)
	}
	return c, nil
}

// add reads one line of a case.
func (c *Case) add(l numbered) error {
	word, rest, _ := strings.Cut(l.text, " ")
	switch word {
	case "spec":
		c.Spec = rest
	case "role":
		c.Role = rest
	case "needs":
		c.needs = strings.Fields(rest)
	case "bearer":
		c.bearer = rest
	case "each":
	case "lenient":
		c.lenient = true
	case "limit":
		d, err := time.ParseDuration(rest)
		if err != nil {
			return err
		}
		c.limit = d
	case "settings":
		for _, f := range strings.Fields(rest) {
			key, value, _ := strings.Cut(f, "=")
			c.settings = append(c.settings, arg{key, value})
		}
	default:
		s, err := parseLine(l.number, l.text)
		if err != nil {
			return err
		}
		c.steps = append(c.steps, s)
	}
	return nil
}

// addNeeds adds the features that the steps of a case need.
func (c *Case) addNeeds() {
	for _, s := range c.steps {
		codec, _ := s.get("codec")
		switch {
		case s.verb == "open" && s.mark != "<":
			c.needs = append(c.needs, "serving")
		case codec == "json":
			c.needs = append(c.needs, "json")
		case s.has("MARK") && len(s.bodies) > 0:
			c.needs = append(c.needs, "gzip")
		}
	}
	for _, a := range c.settings {
		if a.key == "resume_window" {
			c.needs = append(c.needs, "resumption")
		}
	}
}
