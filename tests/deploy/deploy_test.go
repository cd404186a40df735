package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/tests/internal/notes"
)

func TestMain(m *testing.M) {
	if config := os.Getenv(serveVariable); config != "" {
		if err := serve(config, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func TestStormIsTheMostWithinAWindow(t *testing.T) {
	times := []int64{1000, 0, 50, 99, 100, 150, 999}
	if got := storm(times, 100*time.Millisecond); got != 3 {
		t.Errorf("within 100 ms: got %d, want 3", got)
	}
	if got := storm(times, time.Second); got != 6 {
		t.Errorf("within 1 s: got %d, want 6", got)
	}
	if got := storm(nil, time.Second); got != 0 {
		t.Errorf("of nothing: got %d", got)
	}
}

func TestVerdictAllowsFailuresOnlyWhereServersAreKilled(t *testing.T) {
	const down = 5 * time.Second
	for _, c := range []struct {
		name   string
		kill   bool
		report notes.Report
		wrong  bool
	}{
		{"all is well", false, notes.Report{Counts: notes.Counts{Calls: 1}}, false},
		{"nothing was called", false, notes.Report{}, true},
		{"a call failed", false, notes.Report{Counts: notes.Counts{Calls: 1, Failed: 1}}, true},
		{"a note was lost", false, notes.Report{Counts: notes.Counts{Calls: 1, Lost: 1}}, true},
		{"a note came twice", false, notes.Report{Counts: notes.Counts{Calls: 1, Duplicated: 1}}, true},
		{"notes were swapped", false, notes.Report{Counts: notes.Counts{Calls: 1, Reordered: 1}}, true},
		{"a call failed as its server was killed", true, notes.Report{Counts: notes.Counts{Calls: 1, Failed: 1}}, false},
		{"one that can be repeated failed", true, notes.Report{Counts: notes.Counts{Calls: 1, Failed: 1, Safe: 1}}, true},
		{"a note was lost when a server was killed", true, notes.Report{Counts: notes.Counts{Calls: 1, Lost: 1}}, true},
		{"a client waited for the next server", true, notes.Report{Counts: notes.Counts{Calls: 1}, Without: 5000}, true},
	} {
		r := result{arrangement: &arrangement{kill: c.kill}, Report: c.report}
		if err := r.verdict(down); (err != nil) != c.wrong {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestCallsInFlightAtAKillAreSeparated(t *testing.T) {
	at := time.UnixMilli(100_000)
	r := result{kills: []kill{{at, at.Add(100 * time.Millisecond)}}}
	r.Slow = []notes.Slow{
		{Who: "before", Began: 90_000, Took: 30},
		{Who: "across", Began: 99_900, Took: 9_000},
		{Who: "as the client learns of it", Began: 100_500, Took: 8_000},
		{Who: "after", Began: 101_200, Took: 50},
	}
	slowest, inFlight := r.waits()
	if slowest.Who != "after" || inFlight.Who != "across" {
		t.Errorf("the slowest: %+v, of those in flight: %+v", slowest, inFlight)
	}
}

func TestRollingRestartFailsNoCall(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), []string{"-short", "-clients", "4", "-nodes", "0", "-run", "^direct, (PickFirst|RoundRobin)$"}, &out)
	t.Log(out.String())
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "failed 0 lost 0 duplicated 0 reordered 0"); n < 2 {
		t.Error("it does not say that nothing failed")
	}
}
