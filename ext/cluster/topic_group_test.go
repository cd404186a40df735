package cluster_test

import (
	"testing"
	"time"

	"github.com/parley-rpc/parley/ext/cluster"
)

// crowd is so many subscribers that messages that come fast are given to them in
// groups of 3 ms.
const crowd = 30

// crowdOf returns that many subscribers.
func crowdOf(t *testing.T, n node, opts ...cluster.TopicOption) (all []*subscriber) {
	t.Helper()
	for range crowd {
		all = append(all, subscribe(t, n.topic(opts...), "", 10))
	}
	return all
}

func expectAll(t *testing.T, all []*subscriber, want ...string) {
	t.Helper()
	for _, s := range all {
		s.expect(want...)
	}
}

func TestMessagesThatComeFastAreGivenInGroups(t *testing.T) {
	twoNodes(t, func(t *testing.T, a, b node) {
		all := crowdOf(t, b)
		say(t, a.topic(), "first")
		expectAll(t, all, "first")
		say(t, a.topic(), "second", "third")
		expectAll(t, all)
		pass(3 * time.Millisecond)
		expectAll(t, all, "second", "third")
		say(t, a.topic(), "fourth") // a group has begun with the end of the one before
		expectAll(t, all)
		pass(3 * time.Millisecond)
		expectAll(t, all, "fourth")
		pass(3 * time.Millisecond)
		say(t, a.topic(), "after a pause")
		expectAll(t, all, "after a pause")
	})
}

func TestFewSubscribersGetEachMessageAtOnce(t *testing.T) {
	twoNodes(t, func(t *testing.T, a, b node) {
		s := subscribe(t, b.topic(), "", 10)
		for _, text := range []string{"first", "second", "third"} {
			say(t, a.topic(), text)
			s.expect(text)
		}
	})
}

func TestGroupDropsNothingThatASubscriberWouldGet(t *testing.T) {
	twoNodes(t, func(t *testing.T, a, b node) {
		all := crowdOf(t, b, cluster.WithQueue(4, cluster.DropOldest))
		latest := subscribe(t, b.topic(cluster.WithLatest()), "", 10)
		for _, text := range []string{"1", "2", "3", "4", "5"} {
			say(t, a.topic(), text)
			latest.expect(text)
		}
		pass(3 * time.Millisecond)
		expectAll(t, all, "1", "2", "3", "4", "5")
	})
}

func TestLossIsToldToACrowdInItsGroup(t *testing.T) {
	twoNodes(t, func(t *testing.T, a, b node) {
		all := crowdOf(t, b)
		a.loseIf("lost")
		say(t, a.topic(), "one")
		expectAll(t, all, "one")
		say(t, a.topic(), "lost", "three")
		expectAll(t, all)
		pass(3 * time.Millisecond)
		expectAll(t, all, "+1 three")
	})
}

func TestCrowdThatLeavesWithinAGroupIsForgotten(t *testing.T) {
	twoNodes(t, func(t *testing.T, a, b node) {
		all := crowdOf(t, b)
		say(t, a.topic(), "one")
		expectAll(t, all, "one")
		say(t, a.topic(), "two")
		for _, s := range all {
			s.stop()
		}
		pass(time.Second)
		again := subscribe(t, b.topic(), "", 10)
		say(t, a.topic(), "three")
		again.expect("three")
	})
}
