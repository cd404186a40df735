package main

import (
	"fmt"
	"io"
	"time"
)

// table prints the results as docs/reliability.md has them.
func table(out io.Writer, results []*result) {
	fmt.Fprintln(out, "\n| arrangement | restarts | calls | result | slowest unary call | without a session, longest | handshakes in 100 ms, in 1 s, most |")
	fmt.Fprintln(out, "|---|--:|--:|---|--:|--:|--:|")
	for _, r := range results {
		slowest, _ := r.waits()
		fmt.Fprintf(out, "| %s | %d | %s | `%s` | %.2f s | %.2f s | %d, %d |\n", r.name, r.restarts, thousands(r.Calls), &r.Counts,
			float64(slowest)/1e3, float64(r.Without)/1e3, storm(r.Handshakes, 100*time.Millisecond), storm(r.Handshakes, time.Second))
	}
}

// thousands writes a number as people do.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
