package room

import (
	"strconv"
	"testing"

	chatv1 "github.com/parley-rpc/parley/gen/parley/chat/v1"
)

// said is the event that a member has said a number.
func said(n int) *chatv1.JoinResponse {
	return &chatv1.JoinResponse{Event: &chatv1.JoinResponse_Said{Said: &chatv1.Said{Text: strconv.Itoa(n)}}}
}

func TestFullQueuesDropTheOldestAndCountThem(t *testing.T) {
	q := newQueue()
	for n := range queueLength + 5 {
		q.put(said(n))
	}
	q.close()
	missed := uint64(5)
	for n := 5; n < queueLength+5; n++ {
		ev, ok := q.take()
		if !ok || ev.GetSaid().GetText() != strconv.Itoa(n) || ev.Missed != missed {
			t.Fatalf("took %v, %t; want %d with %d missed", ev, ok, n, missed)
		}
		missed = 0 // was reported
	}
	if ev, ok := q.take(); ok {
		t.Errorf("took %v from an empty queue", ev)
	}
}

func TestEventsGoToManyQueuesWithoutMixingWhatEachMissed(t *testing.T) {
	fast, slow := newQueue(), newQueue()
	for n := range queueLength + 1 {
		ev := said(n)
		fast.put(ev)
		slow.put(ev)
		if got, _ := fast.take(); got.Missed != 0 {
			t.Fatalf("the fast one took %v", got)
		}
	}
	if got, _ := slow.take(); got.Missed != 1 {
		t.Errorf("the slow one took %v", got)
	}
}
