package cluster_test

import (
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/ext/cluster"
	"github.com/parley-rpc/parley/rpc"
)

// twoNodes runs a test of what b gets when a publishes.
func twoNodes(t *testing.T, test func(t *testing.T, a, b node)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		bus := cluster.NewMemoryBus()
		test(t, newNode(t, bus), newNode(t, bus))
	})
}

func TestLostMessagesAreToldWithTheNextOne(t *testing.T) {
	twoNodes(t, func(t *testing.T, a, b node) {
		s := subscribe(t, b.topic(), "", 10)
		a.loseIf("lost")
		say(t, a.topic(), "one", "lost", "lost", "four")
		s.expect("one", "+2 four")
	})
}

func TestLossOfTheLastMessageIsToldSoon(t *testing.T) {
	twoNodes(t, func(t *testing.T, a, b node) {
		s := subscribe(t, b.topic(), "", 10)
		a.loseIf("lost")
		say(t, a.topic(), "one", "lost")
		s.expect("one")
		pass(500 * time.Millisecond)
		s.expect("+1")
		pass(time.Hour)
		s.expect()
	})
}

func TestLossOfTheFirstMessagesIsNoticed(t *testing.T) {
	twoNodes(t, func(t *testing.T, a, b node) {
		s := subscribe(t, b.topic(), "", 10)
		pass(time.Millisecond)
		a.loseIf("lost")
		say(t, a.topic(), "lost", "lost", "three")
		s.expect("+2 three")
	})
}

func TestWhatWasPublishedBeforeIsNoGap(t *testing.T) {
	twoNodes(t, func(t *testing.T, a, b node) {
		say(t, a.topic(), "one", "two")
		pass(10 * time.Millisecond)
		s := subscribe(t, b.topic(), "", 10)
		pass(time.Second) // the last number is told
		say(t, a.topic(), "three")
		s.expect("three")
	})
}

func TestSilentPublisherTellsItsLastNumberAfterACut(t *testing.T) {
	twoNodes(t, func(t *testing.T, a, b node) {
		s := subscribe(t, b.topic(), "", 10)
		say(t, a.topic(), "one")
		pass(10 * time.Second)
		s.expect("one")
		a.loseIf("room") // what is lost is in a buffer of the publisher
		say(t, a.topic(), "room", "room")
		a.setAvailable(cluster.BusChange{})
		pass(20 * time.Second)
		a.setAvailable(cluster.BusChange{Available: true})
		pass(time.Millisecond)
		s.expect("+2")
	})
}

func TestLossOnTheBusIsToldAtOnce(t *testing.T) {
	twoNodes(t, func(t *testing.T, a, b node) {
		first, second := subscribe(t, b.topic(), "", 10), subscribe(t, b.topic(), "", 10)
		say(t, a.topic(), "one")
		b.setAvailable(cluster.BusChange{})
		say(t, a.topic(), "lost")
		b.setAvailable(cluster.BusChange{Available: true, Lost: true})
		for _, s := range []*subscriber{first, second} {
			s.expect("one", "+?")
		}
		say(t, a.topic(), "three")
		first.expect("+1 three")
		second.expect("+1 three")
	})
}

func TestALossConcernsTheTopicsThatLost(t *testing.T) {
	twoNodes(t, func(t *testing.T, a, b node) {
		s := subscribe(t, b.topic(), "", 10)
		say(t, a.topic(), "one")
		for _, subject := range []string{"parley.topic.YW5vdGhlcg", "parley.topic.cm9vbQ"} {
			b.tell(cluster.BusChange{Available: true, Lost: true, LostSubjects: []string{subject}})
			say(t, a.topic(), "after "+subject)
		}
		s.expect("one", "after parley.topic.YW5vdGhlcg", "+?", "after parley.topic.cm9vbQ")
	})
}

func TestRestartOfAPublisherIsNoGap(t *testing.T) {
	twoNodes(t, func(t *testing.T, a, b node) {
		s := subscribe(t, b.topic(), "", 10)
		say(t, a.topic(), "one", "two")
		a.Close()
		again := node{cluster.NewTopics(a.link), a.link}
		defer again.Close()
		pass(time.Second)
		say(t, again.topic(), "three")
		s.expect("one", "two", "three")
	})
}

func TestNodeThatEndsTellsItsLastNumber(t *testing.T) {
	twoNodes(t, func(t *testing.T, a, b node) {
		s := subscribe(t, b.topic(), "", 10)
		a.loseIf("lost")
		say(t, a.topic(), "one", "lost")
		a.Close()
		s.expect("one", "+1")
	})
}

func TestMalformedFrameOfATopicIsAGap(t *testing.T) {
	twoNodes(t, func(t *testing.T, a, b node) {
		s := subscribe(t, b.topic(), "", 10)
		if err := a.link.Publish("parley.topic.cm9vbQ", []byte{9}); err != nil { // "room"
			t.Fatal(err)
		}
		s.expect("+?")
	})
}

func TestSlowSubscriberIsToldWhatIsDropped(t *testing.T) {
	twoNodes(t, func(t *testing.T, a, b node) {
		// The first delivery waits for expect, which is no part of the queue.
		s := subscribe(t, b.topic(cluster.WithQueue(2, cluster.DropOldest)), "", 0)
		say(t, a.topic(), "1")
		synctest.Wait()
		say(t, a.topic(), "2", "3", "4", "5")
		s.expect("1", "+2 4", "5")
	})
}

func TestSlowSubscriberGetsTheLatest(t *testing.T) {
	twoNodes(t, func(t *testing.T, a, b node) {
		slow, quick := subscribe(t, b.topic(cluster.WithLatest()), "", 0), subscribe(t, b.topic(), "", 10)
		say(t, a.topic(), "1")
		synctest.Wait()
		a.loseIf("lost") // no id of a node has this text
		say(t, a.topic(), "2", "lost", "4", "5")
		slow.expect("1", "+3 5")
		quick.expect("1", "2", "+1 4", "5")
	})
}

func TestSlowSubscriberIsEnded(t *testing.T) {
	twoNodes(t, func(t *testing.T, a, b node) {
		s := subscribe(t, b.topic(cluster.WithQueue(2, cluster.EndSlow)), "", 0)
		say(t, a.topic(), "1")
		synctest.Wait()
		say(t, a.topic(), "2", "3", "4")
		s.expect("1")
		expectCode(t, <-s.end, rpc.CodeResourceExhausted)
	})
}

func TestQueueIsBoundedInBytes(t *testing.T) {
	twoNodes(t, func(t *testing.T, a, b node) {
		s := subscribe(t, b.topic(), "", 0)
		say(t, a.topic(), "first")
		synctest.Wait()
		large := wrapperspb.String(string(make([]byte, 1_000_000)))
		for range 6 { // 4 fit
			if err := a.topic().Publish(t.Context(), large); err != nil {
				t.Fatal(err)
			}
		}
		s.expect("first", "+2 "+large.Value, large.Value, large.Value, large.Value)
	})
}

func TestSubscriberContinuesWhereItsNodeIs(t *testing.T) {
	twoNodes(t, func(t *testing.T, a, b node) {
		other := subscribe(t, b.topic(), "", 10)
		s := subscribe(t, b.topic(), "", 10)
		say(t, a.topic(), "one")
		s.expect("one")
		from := s.stop()
		s = subscribe(t, b.topic(), from, 10)
		say(t, a.topic(), "two")
		s.expect("two")
		from = s.stop()
		say(t, a.topic(), "three", "four")
		s = subscribe(t, b.topic(), from, 10)
		s.expect("+2")
		from = s.stop()
		subscribe(t, b.topic(), from, 10).expect()
		b.tell(cluster.BusChange{Available: true, Lost: true})
		subscribe(t, b.topic(), from, 10).expect("+?")
		other.expect("one", "two", "three", "four", "+?")
	})
}

func TestPositionElsewhereIsAnUnknownGap(t *testing.T) {
	twoNodes(t, func(t *testing.T, a, b node) {
		s := subscribe(t, b.topic(), "", 10)
		say(t, a.topic(), "one")
		s.expect("one")
		from := s.stop()
		for name, n := range map[string]node{"another node": a, "a new subscription": b} {
			s := subscribe(t, n.topic(), from, 10)
			if s.expect("+?"); s.position == "" {
				t.Errorf("%s: a gap without a position", name)
			}
		}
		subscribe(t, b.topic(), "h-1", 10).expect("+?")
		subscribe(t, b.topic(), cluster.Oldest, 10).expect()
	})
}
