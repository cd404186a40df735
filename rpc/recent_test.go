package rpc

import (
	"strconv"
	"testing"
)

func TestRecentEntriesAreRememberedAndTheirNumberIsBounded(t *testing.T) {
	r := newRecentSet()
	r.add("kept", "in use")
	for i := range 10 * maxRecent {
		r.add(strconv.Itoa(i))
		if i%(maxRecent/2) == 0 && !r.has("kept", "in use") {
			t.Fatalf("an entry that is asked for was forgotten after %d others", i)
		}
	}
	for i := 9 * maxRecent; i < 10*maxRecent; i++ {
		if !r.has(strconv.Itoa(i)) {
			t.Fatalf("one of the last %d entries was forgotten", maxRecent)
		}
	}
	if r.has("0") || r.has("kept in use") || r.has("kept", "in ", "use") {
		t.Error("an entry is there that was not added, or not lately")
	}
	if n := len(r.young) + len(r.old); n > 2*maxRecent {
		t.Errorf("%d entries are kept", n)
	}
}
