package load

import (
	"fmt"
	"hash/crc32"
	"sync"

	"github.com/parley-rpc/parley/rpc"
)

// Book counts the messages of calls whose two ends are in this process. Its
// mutex comes before those of its entries.
type Book struct {
	// Strict counts a handler that runs after its call is over as a duplicate.
	// It counts a call that ends with its connection as failed, if a handler
	// had it. It is for loads in which no call is canceled and no connection is
	// cut off.
	Strict bool

	mix     mix
	methods [kinds]*rpc.Method

	mu     sync.Mutex
	last   uint64 // id of a call
	calls  map[uint64]*entry
	totals Totals
	errs   []error // the first failures
}

// Totals is what a Book has counted for the calls that are over.
type Totals struct {
	Calls      [kinds]int // that ended with OK
	GivenUp    int        // canceled, or past their deadline, on purpose
	Orphaned   int        // that ended with their connection, which may end
	Failed     int
	Messages   int
	Lost       int
	Duplicated int
	Reordered  int
	Damaged    int // whose checksum is wrong
}

// NewBook returns an empty book of a load of mostly small messages.
func NewBook() *Book { return newBook(small) }

// NewLargeBook returns an empty book of a load of large messages. Its service
// has another name, so a server can serve both.
func NewLargeBook() *Book { return newBook(large) }

// NewBulkBook returns an empty book of a load of small and large messages. Its
// service has another name too.
func NewBulkBook() *Book { return newBook(bulk) }

// NewFullBook returns an empty book of a load of streams of up to so many
// messages, which are mostly large. Its service has another name too.
func NewFullBook(most int) *Book { return newBook(full(most)) }

func newBook(m mix) *Book {
	return &Book{mix: m, methods: methodsOf(m.service), calls: make(map[uint64]*entry)}
}

// Totals returns the counts so far.
func (b *Book) Totals() Totals {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.totals
}

// Failures returns the first errors of failed calls.
func (b *Book) Failures() []error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.errs
}

// Pending describes the calls that are not over.
func (b *Book) Pending() (all []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.calls {
		e.mu.Lock()
		all = append(all, e.describe())
		e.mu.Unlock()
	}
	return all
}

// open starts the entry of a call.
func (b *Book) open(kind Kind, from string) *entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last++
	e := &entry{id: b.last, kind: kind, from: from}
	b.calls[e.id] = e
	return e
}

// serve finds the entry of a call that reaches a handler.
func (b *Book) serve(id uint64) *entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.calls[id]
	if e == nil {
		if b.Strict {
			b.totals.Duplicated++
		}
		return &entry{id: id}
	}
	return e
}

// close records a call that is over.
func (b *Book) close(e *entry, o outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.calls, e.id)
	e.mu.Lock()
	defer e.mu.Unlock()
	t := &b.totals
	for _, l := range e.lanes {
		t.Messages += l.got
		t.Duplicated += l.duplicated
		t.Reordered += l.reordered
		t.Damaged += l.damaged
	}
	switch {
	case o.err == nil:
		t.Calls[e.kind]++
		for _, l := range e.lanes {
			t.Lost += l.sent - len(l.seen)
		}
	case o.wanted:
		t.GivenUp++
	case o.orphaned && !(b.Strict && e.lanes[request].got > 0):
		t.Orphaned++
	default:
		t.Failed++
		if len(b.errs) < mostFailures {
			b.errs = append(b.errs, fmt.Errorf("%s: %w", e.describe(), o.err))
		}
	}
}

// mostFailures is how many errors are kept.
const mostFailures = 10

// outcome is how a call ended.
type outcome struct {
	err      error
	wanted   bool // this call was meant to end with an error
	orphaned bool // its connection has ended, as expected
}

// lane is one direction of a call.
type lane struct {
	sent       int // messages passed to Send
	got        int
	seen       map[uint32]struct{}
	highest    uint32
	duplicated int
	reordered  int
	damaged    int
}

// entry is what both ends know of a call.
type entry struct {
	id   uint64
	kind Kind
	from string

	mu    sync.Mutex
	lanes [2]lane // responses, requests
}

// describe says how far the call has come. mu is held.
func (e *entry) describe() string {
	return fmt.Sprintf("call %d (%s by the %s; requests %d sent, %d received; answers %d sent, %d received)",
		e.id, e.kind, e.from, e.lanes[request].sent, e.lanes[request].got, e.lanes[answer].sent, e.lanes[answer].got)
}

// sent counts a message that was passed to Send.
func (e *entry) sent(d direction) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lanes[d].sent++
}

// received counts a received message.
func (e *entry) received(d direction, m message) {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := &e.lanes[d]
	l.got++
	if !m.whole || m.call != e.id || m.direction != d {
		l.damaged++
		return
	}
	if l.seen == nil {
		l.seen = make(map[uint32]struct{})
	}
	if _, ok := l.seen[m.number]; ok {
		l.duplicated++
		return
	}
	l.seen[m.number] = struct{}{}
	if len(l.seen) > 1 && m.number < l.highest {
		l.reordered++
	}
	l.highest = max(l.highest, m.number)
}

var table = crc32.MakeTable(crc32.Castagnoli)
