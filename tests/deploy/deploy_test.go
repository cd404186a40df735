package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/tests/deploy/gen/deploy/v1/deployv1parley"
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

func TestSequenceCountsWhatComes(t *testing.T) {
	for _, c := range []struct {
		name string
		came []uint64
		sent uint64
		want Counts
	}{
		{"all", []uint64{0, 1, 2}, 3, Counts{}},
		{"nothing", nil, 2, Counts{Lost: 2}},
		{"one is missing", []uint64{0, 2}, 3, Counts{Lost: 1}},
		{"the end is missing", []uint64{0, 1}, 3, Counts{Lost: 1}},
		{"one came twice", []uint64{0, 1, 1, 2}, 3, Counts{Duplicated: 1}},
		{"an old one came twice", []uint64{0, 1, 2, 0}, 3, Counts{Duplicated: 1}},
		{"two are swapped", []uint64{0, 2, 1}, 3, Counts{Reordered: 1}},
		{"one came late, and twice", []uint64{1, 2, 0, 0}, 3, Counts{Reordered: 1, Duplicated: 1}},
	} {
		var s sequence
		for _, n := range c.came {
			s.take(n)
		}
		if got := s.close(c.sent); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, &got, &c.want)
		}
	}
}

func TestCallServedByTwoProcessesIsADuplicate(t *testing.T) {
	sum := Report{Served: []uint64{1, 2}}
	sum.merge(&Report{Served: []uint64{3, 2}})
	sum.settle()
	if sum.Duplicated != 1 {
		t.Errorf("got %s", &sum.Counts)
	}
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

// bungle mishandles the fifth message that a handler sends.
type bungle struct {
	rpc.Stream
	sent *atomic.Int64
	fail func(b *bungle, msg any) error
	held any
}

func (b *bungle) Send(msg any) error {
	if b.sent.Add(1) == 5 {
		return b.fail(b, msg)
	}
	if b.held != nil {
		held := b.held
		b.held = nil
		return errors.Join(b.Stream.Send(msg), b.Stream.Send(held))
	}
	return b.Stream.Send(msg)
}

// The calls that receive a faulty server's responses detect each fault.
func TestFaultsOfAServerAreCounted(t *testing.T) {
	for _, c := range []struct {
		name string
		fail func(*bungle, any) error
		want Counts
	}{
		{"none", func(b *bungle, msg any) error { return b.Stream.Send(msg) }, Counts{Calls: 1}},
		{"a note is lost", func(*bungle, any) error { return nil }, Counts{Calls: 1, Lost: 1}},
		{"a note comes twice", func(b *bungle, msg any) error {
			return errors.Join(b.Stream.Send(msg), b.Stream.Send(msg))
		}, Counts{Calls: 1, Duplicated: 1}},
		{"two notes are swapped", func(b *bungle, msg any) error {
			b.held = msg
			return nil
		}, Counts{Calls: 1, Reordered: 1}},
		{"the call fails", func(*bungle, any) error { return rpc.Errorf(rpc.CodeUnavailable, "no") }, Counts{Failed: 1}},
	} {
		for _, k := range []kind{download, exchange} {
			if got := callWith(t, k, c.fail); got != c.want {
				t.Errorf("%s, %s: got %d calls, %s", k, c.name, got.Calls, &got)
			}
		}
	}
}

// callWith makes one call to a server with a fault.
func callWith(t *testing.T, k kind, fail func(*bungle, any) error) Counts {
	t.Helper()
	srv := rpc.NewServer(rpc.WithHandlerInterceptors(func(next rpc.Handler) rpc.Handler {
		return func(ctx context.Context, s rpc.Stream) error {
			return next(ctx, &bungle{Stream: s, sent: new(atomic.Int64), fail: fail})
		}
	}))
	deployv1parley.RegisterNoteServiceServer(srv, service{new(book)})
	web := httptest.NewServer(srv)
	defer web.Close()
	defer srv.Close()
	client := rpc.NewClient(web.URL)
	defer client.Close()
	b := new(book)
	c := caller{
		conn:  client,
		notes: deployv1parley.NewNoteServiceClient(client),
		book:  b,
		ids:   newIDs(1),
		pace:  time.Millisecond,
		count: 10,
	}
	c.call(t.Context(), k, never)
	return b.close().Counts
}

func TestVerdictAllowsFailuresOnlyWhereServersAreKilled(t *testing.T) {
	const down = 5 * time.Second
	for _, c := range []struct {
		name   string
		kill   bool
		report Report
		wrong  bool
	}{
		{"all is well", false, Report{Counts: Counts{Calls: 1}}, false},
		{"nothing was called", false, Report{}, true},
		{"a call failed", false, Report{Counts: Counts{Calls: 1, Failed: 1}}, true},
		{"a note was lost", false, Report{Counts: Counts{Calls: 1, Lost: 1}}, true},
		{"a note came twice", false, Report{Counts: Counts{Calls: 1, Duplicated: 1}}, true},
		{"notes were swapped", false, Report{Counts: Counts{Calls: 1, Reordered: 1}}, true},
		{"a call failed as its server was killed", true, Report{Counts: Counts{Calls: 1, Failed: 1}}, false},
		{"one that can be repeated failed", true, Report{Counts: Counts{Calls: 1, Failed: 1, Safe: 1}}, true},
		{"a note was lost when a server was killed", true, Report{Counts: Counts{Calls: 1, Lost: 1}}, true},
		{"a client waited for the next server", true, Report{Counts: Counts{Calls: 1}, Without: 5000}, true},
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
	r.Slow = []slow{
		{"before", 90_000, 30},
		{"across", 99_900, 9_000},
		{"as the client learns of it", 100_500, 8_000},
		{"after", 101_200, 50},
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
