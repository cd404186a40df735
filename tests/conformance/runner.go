// Package conformance checks implementations of parley.v1. It starts the
// implementation under test as a command, and plays the peer on a WebSocket
// that it speaks by hand. docs/conformance.md describes the command, the form
// of the cases, and what they cover.
package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options say what to run.
type Options struct {
	Command  []string       // the implementation under test, with arguments
	Run      *regexp.Regexp // which cases, by name; nil: all
	Known    []string       // the names of cases that are known to fail
	Parallel int            // how many cases run at once; 0: 32
	Stderr   io.Writer      // what the command writes to standard error; nil: nowhere
}

// Result is the result of one case.
type Result struct {
	Case    string        `json:"case"`
	Spec    string        `json:"spec"`
	Failure string        `json:"failure,omitempty"` // empty: the case passed
	Known   bool          `json:"known,omitempty"`   // it is in the list of known failures
	Took    time.Duration `json:"nanoseconds"`
}

// Report is what came of a run.
type Report struct {
	Implementation string   `json:"implementation"` // as it names itself
	Results        []Result `json:"results"`
	// NotApplicable has, for each role or feature that the implementation says
	// it does not have, the number of cases that need it.
	NotApplicable map[string]int `json:"notApplicable,omitempty"`
}

// Passed returns the number of cases that passed.
func (r *Report) Passed() int {
	n := 0
	for _, c := range r.Results {
		if c.Failure == "" {
			n++
		}
	}
	return n
}

// Failed returns the results that are not as they have to be: failures that are
// not known, and known failures that passed.
func (r *Report) Failed() (list []Result) {
	for _, c := range r.Results {
		switch {
		case c.Failure != "" && !c.Known:
			list = append(list, c)
		case c.Failure == "" && c.Known:
			c.Failure = "it passes, but is in the list of known failures: remove it there"
			list = append(list, c)
		}
	}
	return list
}

// Known returns the known failures that have failed.
func (r *Report) Known() (list []Result) {
	for _, c := range r.Results {
		if c.Failure != "" && c.Known {
			list = append(list, c)
		}
	}
	return list
}

// Summary returns the last line of a report, such as "parley-go: 900 passed, 0
// failed".
func (r *Report) Summary() string {
	text := fmt.Sprintf("%s: %d passed, %d failed", r.Implementation, r.Passed(), len(r.Failed()))
	if n := len(r.Known()); n > 0 {
		text += fmt.Sprintf(", %d known failures", n)
	}
	var without []string
	for what, n := range r.NotApplicable {
		without = append(without, fmt.Sprintf("%d need %s", n, what))
	}
	if len(without) > 0 {
		slices.Sort(without)
		text += " (does not apply: " + strings.Join(without, ", ") + ")"
	}
	return text
}

// Run runs cases against one implementation. It fails if the command does not
// work, or if an option names a case that does not exist.
func Run(ctx context.Context, o Options) (*Report, error) {
	if len(o.Command) == 0 {
		return nil, errors.New("no command under test")
	}
	cases, err := o.selected()
	if err != nil {
		return nil, err
	}
	stderr := o.Stderr
	if stderr == nil {
		stderr = io.Discard
	}
	d, err := startDriver(ctx, stderr, o.Command)
	if err != nil {
		return nil, err
	}
	report := &Report{Implementation: d.ready.GetName(), NotApplicable: make(map[string]int)}
	var applicable []Case
	for _, c := range cases {
		if missing := c.missing(d); missing != "" {
			report.NotApplicable[missing]++
			continue
		}
		applicable = append(applicable, c)
	}
	report.Results = o.runAll(ctx, d, applicable)
	if err := d.stop(); err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("the command under test does not end in order when its input ends: %w", err)
	}
	return report, ctx.Err()
}

// selected returns the cases to run.
func (o *Options) selected() (list []Case, err error) {
	cases, err := Cases()
	if err != nil {
		return nil, err
	}
	names := make(map[string]bool)
	for _, c := range cases {
		if names[c.Name] {
			return nil, fmt.Errorf("two cases have the name %s", c.Name)
		}
		names[c.Name] = true
		if o.Run == nil || o.Run.MatchString(c.Name) {
			list = append(list, c)
		}
	}
	for _, name := range o.Known {
		if !names[name] {
			return nil, fmt.Errorf("a known failure is no case: %s", name)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no case matches %v", o.Run)
	}
	return list, nil
}

// missing returns what a case needs and the implementation does not have.
func (c *Case) missing(d *driver) string {
	for _, need := range append([]string{c.Role}, c.needs...) {
		acceptorServes := need == "serving" && c.Role == Acceptor
		if !d.can(need) && !acceptorServes {
			return need
		}
	}
	return ""
}

// runAll runs cases, several at once: most of their time they wait. Those that
// take longest begin first.
func (o *Options) runAll(ctx context.Context, d *driver, cases []Case) []Result {
	slices.SortStableFunc(cases, func(a, b Case) int { return int(b.limit - a.limit) })
	results := make([]Result, len(cases))
	parallel := o.Parallel
	if parallel == 0 {
		parallel = 32
	}
	var running sync.WaitGroup
	turns := make(chan struct{}, parallel)
	for i := range cases {
		turns <- struct{}{}
		running.Go(func() {
			defer func() { <-turns }()
			c := &cases[i]
			began := time.Now()
			err := c.run(ctx, d)
			results[i] = Result{Case: c.Name, Spec: c.Spec, Known: slices.Contains(o.Known, c.Name), Took: time.Since(began)}
			if err != nil {
				results[i].Failure = err.Error()
			}
		})
	}
	running.Wait()
	slices.SortFunc(results, func(a, b Result) int { return strings.Compare(a.Case, b.Case) })
	return results
}
