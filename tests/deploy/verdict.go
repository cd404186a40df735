package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// kill is the time at which a server was killed: it ran before, and not after.
type kill struct{ from, to time.Time }

// noticed is how long after a kill a busy client may not know of it.
const noticed = time.Second

// caught reports whether a call may have been under way when the server was
// killed.
func (k kill) caught(c slow) bool {
	return c.Began < k.to.Add(noticed).UnixMilli() && c.Began+c.Took > k.from.UnixMilli()
}

// waits returns the slowest unary call, and the slowest of those that were
// under way when a server was killed. The latter wait until their session is
// resumed or given up, and do not count as the former.
func (r *result) waits() (slowest, inFlight slow) {
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

// since forgets the handshakes before a time: those of clients that start.
func (r *Report) since(t time.Time) {
	kept := r.Handshakes[:0]
	for _, at := range r.Handshakes {
		if at >= t.UnixMilli() {
			kept = append(kept, at)
		}
	}
	r.Handshakes = kept
}

// verdict returns what is wrong. Calls may fail when their server is killed,
// but not those that could be made again, and no client may wait until that
// server is back.
func (r *result) verdict(away time.Duration) error {
	slowest, _ := r.waits()
	switch {
	case !r.kill && !r.clean():
		return fmt.Errorf("%s: %s", r.name, &r.Counts)
	case r.kill && r.Lost+r.Duplicated+r.Reordered > 0:
		return fmt.Errorf("%s: %s", r.name, &r.Counts)
	case r.kill && r.Safe > 0:
		return fmt.Errorf("%s: %d calls failed that could be made again", r.name, r.Safe)
	case r.kill && max(slowest.Took, r.Without) >= away.Milliseconds():
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

// shown is how many failures are printed.
const shown = 20

// printFailures prints the failures that have happened most often.
func (r *result) printFailures(out io.Writer) {
	most := slices.SortedFunc(maps.Keys(r.Failures), func(a, b string) int { return r.Failures[b] - r.Failures[a] })
	for _, what := range most[:min(len(most), shown)] {
		fmt.Fprintf(out, "  %6d %s\n", r.Failures[what], what)
	}
	if len(most) > shown {
		fmt.Fprintf(out, "  and %d other failures\n", len(most)-shown)
	}
}
