package transport

import "testing"

func TestLatchTripsOnceForWhoWaitsBeforeAndAfter(t *testing.T) {
	var l latch
	before := l.done()
	if l.tripped() || closed(before) {
		t.Fatal("tripped at once")
	}
	l.trip()
	l.trip()
	if !l.tripped() || !closed(before) || !closed(l.done()) {
		t.Error("has not tripped for all")
	}
	var unawaited latch
	unawaited.trip()
	if !unawaited.tripped() || !closed(unawaited.done()) {
		t.Error("has not tripped for who asks later")
	}
}
