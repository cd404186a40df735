package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/parley-rpc/parley/tests/internal/notes"
)

// kill is the time at which a server was killed: it ran before the first
// moment, and not after the second.
type kill struct{ from, to time.Time }

// noticed is how long after a kill a busy client may take to notice it.
const noticed = time.Second

// caught reports whether a call may have been in flight when the server was
// killed.
func (k kill) caught(c notes.Slow) bool {
	return c.Began < k.to.Add(noticed).UnixMilli() && c.Began+c.Took > k.from.UnixMilli()
}

// waits returns the slowest unary call, and the slowest one that was in flight
// when a server was killed. The second kind waits until its session is resumed
// or lost, and does not count for the first.
func (r *result) waits() (slowest, inFlight notes.Slow) {
	for _, c := range r.Slow {
		most := &slowest
		if slices.ContainsFunc(r.kills, func(k kill) bool { return k.caught(c) }) {
			most = &inFlight
		}
		if c.Took > most.Took {
			*most = c
		}
	}
	return slowest, inFlight
}

// since drops the handshakes before a time, which are those of starting
// clients.
func since(r *notes.Report, t time.Time) {
	kept := r.Handshakes[:0]
	for _, at := range r.Handshakes {
		if at >= t.UnixMilli() {
			kept = append(kept, at)
		}
	}
	r.Handshakes = kept
}

// verdict returns what is wrong. Calls may fail when their server is killed,
// but not those that may be repeated. No client may wait until that server has
// returned.
func (r *result) verdict(down time.Duration) error {
	slowest, _ := r.waits()
	switch {
	case !r.kill && !r.Clean():
		return fmt.Errorf("%s: %s", r.name, &r.Counts)
	case r.kill && r.Lost+r.Duplicated+r.Reordered > 0:
		return fmt.Errorf("%s: %s", r.name, &r.Counts)
	case r.kill && r.Safe > 0:
		return fmt.Errorf("%s: %d calls failed that could be made again", r.name, r.Safe)
	case r.kill && max(slowest.Took, r.Without) >= down.Milliseconds():
		return fmt.Errorf("%s: clients waited until their server was back: %d ms without a session, %d ms for a call of a %s",
			r.name, r.Without, slowest.Took, slowest.Who)
	case r.Calls == 0:
		return fmt.Errorf("%s: no calls were made, so nothing was shown", r.name)
	}
	return nil
}

// print prints the result of an arrangement in a line or two.
func (r *result) print(out io.Writer) {
	fmt.Fprintf(out, "%s: %s\n", r.name, &r.Counts)
	slowest, inFlight := r.waits()
	fmt.Fprintf(out, "  %d restarts in %.0f s, %d calls; slowest unary call %d ms", r.restarts, r.took.Seconds(), r.Calls, slowest.Took)
	if r.kill {
		fmt.Fprintf(out, ", %d ms if it was under way when its server was killed", inFlight.Took)
	}
	fmt.Fprintf(out, "; longest without a session %d ms; %d handshakes, %d of them refused, at most %d in 100 ms and %d in 1 s\n",
		r.Without, len(r.Handshakes), r.Refused, storm(r.Handshakes, 100*time.Millisecond), storm(r.Handshakes, time.Second))
	r.printFailures(out)
}

// shown is the number of failures to print.
const shown = 20

// printFailures prints the most frequent failures.
func (r *result) printFailures(out io.Writer) {
	most := slices.SortedFunc(maps.Keys(r.Failures), func(a, b string) int { return r.Failures[b] - r.Failures[a] })
	for _, what := range most[:min(len(most), shown)] {
		fmt.Fprintf(out, "  %6d %s\n", r.Failures[what], what)
	}
	if len(most) > shown {
		fmt.Fprintf(out, "  and %d other failures\n", len(most)-shown)
	}
}
