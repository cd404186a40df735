package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/parley-rpc/parley/tests/internal/notes"
)

// result is what a scenario has counted.
type result struct {
	name    string
	report  notes.Report
	topics  topicCounts
	lost    int // sessions
	ghosts  int
	right   time.Duration // until the directory was right, after the fault or its end
	took    time.Duration
	allowed func(notes.Error) bool // nil: no call may fail
	losable int                    // sessions that may be lost
	settled time.Duration          // the most that right may be
	gaps    bool                   // gaps must be told
	notes   []string
	wrong   []string // what a scenario itself has found
}

// String is the line of the scenario.
func (r *result) String() string {
	n := &r.report
	return fmt.Sprintf("sessions lost %d, failed %d lost %d duplicated %d reordered %d, ghosts %d, gaps told %d hidden %d; directory right after %.2f s",
		r.lost, n.Failed, n.Lost+r.topics.lost, n.Duplicated+r.topics.duplicated, n.Reordered+r.topics.reordered,
		r.ghosts, r.topics.told, r.topics.hidden, r.right.Seconds())
}

// verdict returns the bars that are missed.
func (r *result) verdict() (missed []string) {
	miss := func(format string, args ...any) { missed = append(missed, fmt.Sprintf(format, args...)) }
	if r.lost > r.losable {
		miss("sessions lost %d: at most %d may be", r.lost, r.losable)
	}
	if _, unexpected := r.failures(); len(unexpected) > 0 {
		miss("%d calls failed that must not, such as %s", len(unexpected), describe(unexpected[0]))
	}
	if n := r.report.Lost + r.topics.lost; n > 0 {
		miss("lost %d", n)
	}
	if n := r.report.Duplicated + r.topics.duplicated; n > 0 {
		miss("duplicated %d", n)
	}
	if n := r.report.Reordered + r.topics.reordered; n > 0 {
		miss("reordered %d", n)
	}
	if r.ghosts > 0 {
		miss("ghosts %d", r.ghosts)
	}
	if r.topics.hidden > 0 {
		miss("hidden gaps %d", r.topics.hidden)
	}
	if r.gaps && r.topics.told == 0 {
		miss("no gap was told: the fault has had no effect")
	}
	if r.settled > 0 && r.right > r.settled {
		miss("the directory was right after %v: at most %v", r.right.Round(10*time.Millisecond), r.settled)
	}
	for _, err := range r.topics.errs {
		miss("%v", err)
	}
	if r.report.Calls == 0 || r.topics.items == 0 {
		miss("%d calls and %d items: nothing was shown", r.report.Calls, r.topics.items)
	}
	return append(missed, r.wrong...)
}

// failures returns the failures that the scenario allows, and the others.
func (r *result) failures() (allowed, unexpected []notes.Error) {
	for _, e := range r.report.Errors {
		if r.allowed != nil && r.allowed(e) {
			allowed = append(allowed, e)
		} else {
			unexpected = append(unexpected, e)
		}
	}
	return allowed, unexpected
}

func describe(e notes.Error) string {
	return fmt.Sprintf("%s of %s after %d ms: %s", e.Kind, e.Who, e.Ended-e.Began, e.Text)
}

// print prints the result.
func (r *result) print(out io.Writer) {
	fmt.Fprintf(out, "%s: %s\n", r.name, r)
	fmt.Fprintf(out, "  %d calls, %d items of topics in %.0f s\n", r.report.Calls, r.topics.items, r.took.Seconds())
	failed, unexpected := r.failures()
	printMost(out, "", failed)
	printMost(out, "MISSED ", unexpected)
	for _, n := range r.notes {
		fmt.Fprintf(out, "  %s\n", n)
	}
	for _, m := range r.verdict() {
		fmt.Fprintf(out, "  MISSED %s\n", m)
	}
}

// mostShown is how many kinds of failures are printed.
const mostShown = 8

// printMost prints the most frequent failures, with one example each.
func printMost(out io.Writer, mark string, all []notes.Error) {
	count, example := make(map[string]int), make(map[string]notes.Error)
	for _, e := range all {
		what := shortened(e.Text)
		count[what]++
		example[what] = e
	}
	most := slices.SortedFunc(maps.Keys(count), func(a, b string) int { return count[b] - count[a] })
	for _, what := range most[:min(len(most), mostShown)] {
		e := example[what]
		fmt.Fprintf(out, "  %s%6d %s; such as %s of %s after %d ms\n", mark, count[what], what, e.Kind, e.Who, e.Ended-e.Began)
	}
}

// shortened cuts names of clients and nodes off an error.
func shortened(text string) string {
	words := strings.Fields(text)
	for i, w := range words {
		if strings.HasPrefix(w, `"c`) || len(strings.Trim(w, `":,`)) == 16 {
			words[i] = "…"
		}
	}
	return strings.Join(words, " ")
}
