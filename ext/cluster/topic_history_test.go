package cluster_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/ext/cluster"
	"github.com/parley-rpc/parley/rpc"
)

func TestSubscriberThatWasAwayContinues(t *testing.T) {
	twoNodes(t, func(t *testing.T, a, b node) {
		kept := cluster.WithHistory(10, time.Hour)
		s := subscribe(t, a.topic(kept), "", 10)
		say(t, a.topic(kept), "1", "2")
		s.expect("1", "2")
		from := s.stop()
		say(t, a.topic(kept), "3", "4")
		subscribe(t, a.topic(kept), from, 10).expect("3", "4")
		s = subscribe(t, b.topic(kept), from, 10) // on another node
		s.expect("3", "4")
		say(t, a.topic(kept), "5")
		s.expect("5")
	})
}

func TestOldestIsTheBeginningOfTheHistory(t *testing.T) {
	twoNodes(t, func(t *testing.T, a, b node) {
		kept := cluster.WithHistory(2, time.Hour)
		s := subscribe(t, b.topic(kept), cluster.Oldest, 10)
		s.expect()
		s.stop()
		say(t, a.topic(kept), "1", "2", "3")
		s = subscribe(t, b.topic(kept), cluster.Oldest, 10)
		now := subscribe(t, b.topic(kept), "", 10)
		say(t, a.topic(kept), "4")
		s.expect("2", "3", "4")
		now.expect("4")
	})
}

func TestWhatTheHistoryHasLostIsAGap(t *testing.T) {
	twoNodes(t, func(t *testing.T, a, b node) {
		kept := cluster.WithHistory(2, time.Hour)
		s := subscribe(t, b.topic(kept), "", 10)
		say(t, a.topic(kept), "1")
		s.expect("1")
		from := s.stop()
		say(t, a.topic(kept), "2", "3", "4")
		subscribe(t, b.topic(kept), from, 10).expect("+? 3", "4")
		pass(2 * time.Hour)
		s = subscribe(t, b.topic(kept), from, 10)
		s.expect("+?") // at once
		say(t, a.topic(kept), "5")
		s.expect("5")
	})
}

func TestPositionOfALostHistoryIsAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := cluster.WithHistory(10, time.Hour)
		a := newNode(t, cluster.NewMemoryBus())
		s := subscribe(t, a.topic(kept), "", 10)
		say(t, a.topic(kept), "1")
		s.expect("1")
		from := s.stop()
		pass(time.Second)
		b := newNode(t, cluster.NewMemoryBus())
		s = subscribe(t, b.topic(kept), from, 10)
		s.expect("+?")
		say(t, b.topic(kept), "2")
		s.expect("2")
		// Neither does a position help that was not of a history.
		subscribe(t, b.topic(kept), "e-0011223344556677-1-1", 10).expect("+?", "2")
		// Nor one from the future.
		subscribe(t, b.topic(kept), "h-zzzzzzzzzzzz", 10).expect("+? 2")
	})
}

func TestSlowReaderOfAHistoryMissesNothing(t *testing.T) {
	twoNodes(t, func(t *testing.T, a, b node) {
		kept := cluster.WithHistory(2000, time.Hour)
		s := subscribe(t, b.topic(kept), "", 0)
		var want []string
		for i := range 1000 { // its queue has 256
			want = append(want, fmt.Sprint(i))
			say(t, a.topic(kept), fmt.Sprint(i))
		}
		synctest.Wait()
		s.expect(want...)
		say(t, a.topic(kept), "last")
		s.expect("last")
	})
}

func TestReaderThatIsTooSlowForAHistoryIsTold(t *testing.T) {
	twoNodes(t, func(t *testing.T, a, b node) {
		kept := cluster.WithHistory(3, time.Hour)
		s := subscribe(t, b.topic(kept), "", 0)
		say(t, a.topic(kept), "first")
		synctest.Wait()
		for i := range 1000 {
			say(t, a.topic(kept), fmt.Sprint(i))
			synctest.Wait() // the tail itself is not slow
		}
		s.expect("first", "+? 997", "998", "999")
	})
}

func TestHistoryMissesNothingOverACut(t *testing.T) {
	twoNodes(t, func(t *testing.T, a, b node) {
		kept := cluster.WithHistory(3, time.Hour)
		s := subscribe(t, b.topic(kept), "", 10)
		say(t, a.topic(kept), "1")
		s.expect("1")
		b.setAvailable(cluster.BusChange{})
		pass(20 * time.Second)
		say(t, a.topic(kept), "2", "3")
		b.setAvailable(cluster.BusChange{Available: true, Lost: true})
		s.expect("2", "3")
		b.setAvailable(cluster.BusChange{})
		say(t, a.topic(kept), "4", "5", "6", "7")
		b.setAvailable(cluster.BusChange{Available: true, Lost: true})
		s.expect("+? 5", "6", "7")
	})
}

func TestCutOfAnEmptyHistoryHidesNothing(t *testing.T) {
	twoNodes(t, func(t *testing.T, a, b node) {
		kept := cluster.WithHistory(2, time.Hour)
		s := subscribe(t, b.topic(kept), "", 10)
		b.setAvailable(cluster.BusChange{})
		say(t, a.topic(kept), "1", "2", "3")
		b.setAvailable(cluster.BusChange{Available: true, Lost: true})
		s.expect("+? 2", "3")
	})
}

func TestASubscriberThatIsCutOffBeforeTheFirstMessageContinues(t *testing.T) {
	for _, before := range [][]string{nil, {"1", "2"}} {
		twoNodes(t, func(t *testing.T, a, b node) {
			kept, start := cluster.WithHistory(10, time.Hour), cluster.WithStartPosition()
			say(t, a.topic(kept), before...)
			s := subscribe(t, a.topic(kept, start), "", 10)
			s.expect("")
			from := s.stop()
			if from == "" {
				t.Fatal("there was no position")
			}
			say(t, a.topic(kept), "3", "4")
			s = subscribe(t, b.topic(kept, start), from, 10)
			s.expect("3", "4")
			subscribe(t, b.topic(kept, start), cluster.Oldest, 10).expect(append(before, "3", "4")...)
		})
	}
}

func TestAStartPositionNeedsAHistory(t *testing.T) {
	twoNodes(t, func(t *testing.T, a, _ node) {
		for _, err := range a.topic(cluster.WithStartPosition()).Subscribe(t.Context(), "") {
			if rpc.CodeOf(err) != rpc.CodeInvalidArgument {
				t.Error(err)
			}
		}
	})
}
