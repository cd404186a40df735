package load

import (
	"errors"
	"testing"
)

// A count of zero means something only if faults are counted.
func TestABookCountsWhatGoesWrong(t *testing.T) {
	for _, c := range []struct {
		name     string
		sent     int
		received []uint32
		want     Totals
	}{
		{"all there", 3, []uint32{0, 1, 2}, Totals{Messages: 3}},
		{"the last is lost", 3, []uint32{0, 1}, Totals{Messages: 2, Lost: 1}},
		{"one between is lost", 3, []uint32{0, 2}, Totals{Messages: 2, Lost: 1}},
		{"one comes twice", 2, []uint32{0, 0, 1}, Totals{Messages: 3, Duplicated: 1}},
		{"the first comes again later", 2, []uint32{0, 1, 0}, Totals{Messages: 3, Duplicated: 1}},
		{"two change places", 3, []uint32{0, 2, 1}, Totals{Messages: 3, Reordered: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := NewBook()
			e := b.open(Bidi, "test")
			for range c.sent {
				e.sent(request)
			}
			for _, n := range c.received {
				m := message{direction: request, call: e.id, number: n}
				b.serve(e.id).received(request, decode(m.encode(100)))
			}
			b.close(e, outcome{})
			c.want.Calls[Bidi] = 1
			if got := b.Totals(); got != c.want {
				t.Errorf("counted %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestABookCountsDamageAndStrangers(t *testing.T) {
	b := NewBook()
	b.Strict = true
	e := b.open(Unary, "test")
	e.sent(answer)
	v := message{direction: answer, call: e.id}.encode(100)
	v.Value[50] ^= 1
	e.received(answer, decode(v))
	b.close(e, outcome{})
	b.serve(e.id) // the handler runs again
	if got := b.Totals(); got.Damaged != 1 || got.Lost != 1 || got.Duplicated != 1 {
		t.Errorf("counted %+v, want one damaged, lost and duplicated", got)
	}
}

// A server's call to a client that starts while its connection ends may fail.
// One that the client already has must get its status.
func TestAStrictBookForgivesOnlyCallsWithoutAHandler(t *testing.T) {
	b := NewBook()
	b.Strict = true
	for _, had := range []bool{false, true} {
		e := b.open(Unary, "test")
		e.sent(request)
		if had {
			b.serve(e.id).received(request, decode(message{direction: request, call: e.id}.encode(100)))
		}
		b.close(e, outcome{err: errors.New("the connection has gone"), orphaned: true})
	}
	if got := b.Totals(); got.Orphaned != 1 || got.Failed != 1 {
		t.Errorf("counted %+v, want one orphaned and one failed", got)
	}
}
