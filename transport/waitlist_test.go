package transport

import "testing"

func TestWaitersAreServedInOrderOfArrival(t *testing.T) {
	var l waitlist
	first, second, third := l.add(5), l.add(1), l.add(1)
	room := 4
	take := func(size int) bool {
		if size > room {
			return false
		}
		room -= size
		return true
	}
	if l.grant(take); second.granted || third.granted {
		t.Error("a small share overtakes a large one")
	}
	room = 6
	if l.grant(take); !first.granted || !second.granted || third.granted {
		t.Errorf("granted %v %v %v, want the first two", first.granted, second.granted, third.granted)
	}
	<-first.ready
	if !l.leave(second) {
		t.Error("who leaves with its share has to give it back")
	}
	if l.leave(third) || !l.empty() {
		t.Error("who leaves without a share is out of the queue")
	}
}

func TestDismissedWaitersHaveNothing(t *testing.T) {
	var l waitlist
	w := l.add(1)
	l.dismiss()
	<-w.ready
	if l.leave(w) || !l.empty() {
		t.Error("a waiter that was sent away has a share")
	}
}
