package main

import (
	"fmt"
	"io"
	"time"
)

// table prints the results in the format of docs/reliability.md.
func table(out io.Writer, results []*result) {
	fmt.Fprintln(out, "\n| arrangement | restarts | calls | result | slowest unary call | without a session | handshakes in 100 ms, 1 s |")
	fmt.Fprintln(out, "|---|--:|--:|---|--:|--:|--:|")
	for _, r := range results {
		slowest, inFlight := r.waits()
		wait := seconds(slowest.Took)
		if r.kill {
			wait += ", in flight " + seconds(inFlight.Took)
		}
		fmt.Fprintf(out, "| %s | %d | %s | `%s` | %s | %s | %d, %d |\n", r.name, r.restarts, thousands(r.Calls), &r.Counts, wait,
			seconds(r.Without), storm(r.Handshakes, 100*time.Millisecond), storm(r.Handshakes, time.Second))
	}
}

func seconds(millis int64) string { return fmt.Sprintf("%.2f s", float64(millis)/1e3) }

// thousands formats a number with separators.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
