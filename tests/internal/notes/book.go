// Package notes makes calls of all kinds with numbered notes between processes,
// and counts at both ends what happened to them. The report of each process is
// sent as JSON.
package notes

import (
	"fmt"
	"sync"
	"time"

	"github.com/parley-rpc/parley/rpc"
)

// Counts is the results of calls and of their notes.
type Counts struct {
	Calls      int // that ended with OK
	Failed     int
	Safe       int // failed calls that may be repeated
	Lost       int // notes
	Duplicated int // notes, and calls that were served twice
	Reordered  int // notes
}

// add adds other counts.
func (c *Counts) add(o Counts) {
	c.Calls += o.Calls
	c.Failed += o.Failed
	c.Safe += o.Safe
	c.Lost += o.Lost
	c.Duplicated += o.Duplicated
	c.Reordered += o.Reordered
}

// Clean reports whether nothing is wrong.
func (c *Counts) Clean() bool { return c.Failed+c.Lost+c.Duplicated+c.Reordered == 0 }

func (c *Counts) String() string {
	return fmt.Sprintf("failed %d lost %d duplicated %d reordered %d", c.Failed, c.Lost, c.Duplicated, c.Reordered)
}

// Report is the counts of one process, or of all. It is sent as JSON.
type Report struct {
	Counts
	Failures   map[string]int // how often each has happened
	Served     []uint64       // ids of the calls that reached a handler
	Handshakes []int64        // when they arrived, in milliseconds of Unix time
	Refused    int            // handshakes that were answered with an HTTP status
	Slow       []Slow         // slow unary calls that ended with OK
	Errors     []Error        // of the calls that failed, the first of them
	Without    int64          // the longest time in which a client had no session for new calls, in milliseconds
}

// Slow is a call that took some time.
type Slow struct {
	Who         string
	Began, Took int64 // in milliseconds, of Unix time
}

// Error is the end of a call that failed.
type Error struct {
	Who          string
	Kind         string
	Code         rpc.Code
	Text         string
	Began, Ended int64 // in milliseconds of Unix time
}

// mostErrors is how many errors are kept of each process.
const mostErrors = 20_000

// notSoon is from when on a call is slow. mostSlow is how many slow calls are
// kept of each process.
const (
	notSoon  = 20 * time.Millisecond
	mostSlow = 100_000
)

// Merge adds the counts of another process. A call that reached handlers in two
// processes is a duplicate.
func (r *Report) Merge(o *Report) {
	r.add(o.Counts)
	for what, n := range o.Failures {
		r.fail(what, n)
	}
	r.Served = append(r.Served, o.Served...)
	r.Handshakes = append(r.Handshakes, o.Handshakes...)
	r.Refused += o.Refused
	r.Slow = append(r.Slow, o.Slow...)
	r.Errors = append(r.Errors, o.Errors...)
	r.Without = max(r.Without, o.Without)
}

// Settle counts the calls that were served more than once as duplicates, and
// drops their ids.
func (r *Report) Settle() {
	seen := make(map[uint64]struct{}, len(r.Served))
	for _, id := range r.Served {
		if _, twice := seen[id]; twice {
			r.Duplicated++
			r.fail(fmt.Sprintf("call %#x was served twice", id), 1)
		}
		seen[id] = struct{}{}
	}
	r.Served = nil
}

// mostFailures is how many different failures are counted separately.
const mostFailures = 100

func (r *Report) fail(what string, n int) {
	if r.Failures == nil {
		r.Failures = make(map[string]int)
	}
	if _, known := r.Failures[what]; known || len(r.Failures) < mostFailures {
		r.Failures[what] += n
	}
}

// Book builds the report of a process.
type Book struct {
	mu     sync.Mutex
	report Report
}

// served records a call that has reached a handler.
func (b *Book) served(id uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.report.Served = append(b.report.Served, id)
}

// done records a call that is over.
func (b *Book) done(c call, counts Counts, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := &b.report
	switch {
	case err == nil:
		counts.Calls++
		if took := time.Since(c.began); took >= notSoon && c.isUnary() && len(r.Slow) < mostSlow {
			r.Slow = append(r.Slow, Slow{c.who, c.began.UnixMilli(), took.Milliseconds()})
		}
	default:
		counts.Failed++
		counts.Lost = 0 // messages of a failed call are not lost: the caller knows of the failure
		if c.safe {
			counts.Safe++
		}
		if len(r.Errors) < mostErrors {
			r.Errors = append(r.Errors, Error{c.who, c.kind.String(), rpc.CodeOf(err), err.Error(), c.began.UnixMilli(), time.Now().UnixMilli()})
		}
		r.fail(fmt.Sprintf("%s of a %s: %v", c.kind, c.who, err), 1)
	}
	if err == nil && !counts.Clean() {
		r.fail(fmt.Sprintf("%s of a %s: %s", c.kind, c.who, &counts), 1)
	}
	r.add(counts)
}

// NoteWithout records a time in which a client had no session for new calls.
func (b *Book) NoteWithout(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.report.Without = max(b.report.Without, d.Milliseconds())
}

// NoteRefused records that a handshake was refused.
func (b *Book) NoteRefused() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.report.Refused++
}

// NoteHandshake records a handshake.
func (b *Book) NoteHandshake(came time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.report.Handshakes = append(b.report.Handshakes, came.UnixMilli())
}

// Report returns the report so far.
func (b *Book) Report() *Report {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.report
	return &r
}
