package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/ext/cluster"
	"github.com/parley-rpc/parley/rpc"
)

type (
	text     = wrapperspb.StringValue
	delivery = cluster.Delivery[*text]
	topic    = cluster.Topic[*text]
)

// node is a node that has topics, in a bubble of synctest.
type node struct {
	*cluster.Topics
	*link
}

func newNode(t *testing.T, bus *cluster.MemoryBus) node {
	t.Helper()
	l := newLink(bus)
	n := node{cluster.NewTopics(l), l}
	t.Cleanup(n.Close)
	return n
}

func (n node) topic(opts ...cluster.TopicOption) *topic {
	return cluster.TopicOf[*text](n.Topics.Node, "room", opts...)
}

func say(t *testing.T, to *topic, texts ...string) {
	t.Helper()
	for _, s := range texts {
		if err := to.Publish(t.Context(), wrapperspb.String(s)); err != nil {
			t.Fatal(err)
		}
	}
}

// subscriber ranges over a topic on a goroutine of its own.
type subscriber struct {
	t        *testing.T
	got      chan delivery
	end      chan error
	cancel   context.CancelFunc
	position cluster.Position // of the last delivery
}

// subscribe returns a subscriber whose subscription has begun. Up to buffer
// deliveries do not wait for expect.
func subscribe(t *testing.T, to *topic, from cluster.Position, buffer int) *subscriber {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	s := &subscriber{t: t, got: make(chan delivery, buffer), end: make(chan error, 1), cancel: cancel}
	go func() {
		var last error
		for d, err := range to.Subscribe(ctx, from) {
			if last = err; err != nil {
				continue
			}
			select {
			case s.got <- d:
			case <-ctx.Done():
			}
		}
		s.end <- last
	}()
	synctest.Wait()
	return s
}

// stop ends the subscription, and returns where it was.
func (s *subscriber) stop() cluster.Position {
	s.t.Helper()
	s.cancel()
	if err := <-s.end; !errors.Is(err, context.Canceled) {
		s.t.Errorf("a subscription whose context ends: %v", err)
	}
	return s.position
}

// expect checks that these deliveries, and no others, are there: a text, "+2"
// and "+?" for a gap of two or of unknown size, or "+2 text" for both.
func (s *subscriber) expect(want ...string) {
	s.t.Helper()
	var got []string
	for more := true; more; {
		synctest.Wait()
		select {
		case d := <-s.got:
			s.position = d.Position
			got = append(got, show(d))
		default:
			more = false
		}
	}
	if strings.Join(got, ",") != strings.Join(want, ",") {
		s.t.Errorf("got %q, want %q", got, want)
	}
}

func show(d delivery) string {
	var parts []string
	if d.Gap.Count > 0 {
		parts = append(parts, fmt.Sprint("+", d.Gap.Count))
	}
	if d.Gap.Unknown {
		parts = append(parts, "+?")
	}
	if d.Message != nil {
		parts = append(parts, d.Message.Value)
	}
	return strings.Join(parts, " ")
}

// pass lets time pass in a bubble of synctest.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// expectCode checks the code of an error.
func expectCode(t *testing.T, err error, code rpc.Code) {
	t.Helper()
	if !errors.Is(err, code) {
		t.Errorf("error %v, want %v", err, code)
	}
}

func TestEachSubscriberOnEachNodeGetsEachMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := cluster.NewMemoryBus()
		a, b := newNode(t, bus), newNode(t, bus)
		for name, opts := range map[string][]cluster.TopicOption{
			"ephemeral": nil, "history": {cluster.WithHistory(100, time.Hour)},
		} {
			var all []*subscriber
			for _, n := range []node{a, a, b} {
				all = append(all, subscribe(t, n.topic(opts...), "", 10))
			}
			say(t, a.topic(opts...), "one", "", "three")
			synctest.Wait() // with history, the order among nodes is that of the log
			say(t, b.topic(opts...), "four")
			for _, s := range all {
				s.expect("one", "", "three", "four")
				s.stop()
			}
			if t.Failed() {
				t.Fatal(name)
			}
		}
	})
}

func TestNodeHasOneBusSubscriptionPerTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, cluster.NewMemoryBus())
		first, second := subscribe(t, n.topic(), "", 1), subscribe(t, n.topic(), "", 1)
		if got := n.open(); got != 1 {
			t.Errorf("%d subscriptions of the bus for two subscribers", got)
		}
		first.stop()
		if got := n.open(); got != 1 {
			t.Errorf("%d subscriptions of the bus for one subscriber", got)
		}
		second.stop()
		if topics, _, _ := n.Held(); n.open() != 0 || topics != 0 {
			t.Errorf("%d subscriptions of the bus and %d topics for no subscriber", n.open(), topics)
		}
	})
}

func TestTopicHoldsNothingAtRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, cluster.NewMemoryBus())
		say(t, n.topic(), "one")
		if _, publishers, timers := n.Held(); publishers != 1 || timers != 1 {
			t.Errorf("%d publishers, %d timers after a message", publishers, timers)
		}
		pass(2 * time.Minute)
		if _, publishers, timers := n.Held(); publishers != 0 || timers != 0 {
			t.Errorf("%d publishers, %d timers at rest", publishers, timers)
		}
		s := subscribe(t, n.topic(), "", 1)
		say(t, n.topic(), "two") // by a new publisher
		s.expect("two")
	})
}

func TestTopicRefusesWhatCannotBe(t *testing.T) {
	n := cluster.NewTopics(cluster.NewMemoryBus())
	defer n.Close()
	for name, to := range map[string]*topic{
		"no name":       cluster.TopicOf[*text](n.Node, ""),
		"a long name":   cluster.TopicOf[*text](n.Node, strings.Repeat("a", 1025)),
		"no messages":   cluster.TopicOf[*text](n.Node, "room", cluster.WithHistory(0, time.Hour)),
		"no age":        cluster.TopicOf[*text](n.Node, "room", cluster.WithHistory(1, 0)),
		"no queue":      cluster.TopicOf[*text](n.Node, "room", cluster.WithQueue(0, cluster.EndSlow)),
		"no such queue": cluster.TopicOf[*text](n.Node, "room", cluster.WithQueue(1, 0)),
	} {
		err := to.Publish(t.Context(), wrapperspb.String("a"))
		if !errors.Is(err, rpc.CodeInvalidArgument) {
			t.Errorf("%s: Publish: %v", name, err)
		}
		err = to.Serve(t.Context(), "", func(delivery) error { return nil })
		if !errors.Is(err, rpc.CodeInvalidArgument) {
			t.Errorf("%s: Serve: %v", name, err)
		}
	}
}

func TestLongTopicNamesAreDistinct(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, cluster.NewMemoryBus())
		long := strings.Repeat("ü", 500)
		s := subscribe(t, cluster.TopicOf[*text](n.Topics.Node, long+"1"), "", 10)
		say(t, cluster.TopicOf[*text](n.Topics.Node, long+"2"), "other")
		say(t, cluster.TopicOf[*text](n.Topics.Node, long+"1"), "mine")
		s.expect("mine")
	})
}

// plainBus is a Bus that is no LogBus.
type plainBus struct{ cluster.Bus }

func TestHistoryNeedsABusThatKeepsMessages(t *testing.T) {
	n := cluster.NewTopics(plainBus{cluster.NewMemoryBus()})
	defer n.Close()
	to := cluster.TopicOf[*text](n.Node, "room", cluster.WithHistory(1, time.Hour))
	expectCode(t, to.Publish(t.Context(), wrapperspb.String("a")), rpc.CodeFailedPrecondition)
	for _, err := range to.Subscribe(t.Context(), "") {
		expectCode(t, err, rpc.CodeFailedPrecondition)
	}
}

func TestLargeMessageOfATopicIsRefused(t *testing.T) {
	n := cluster.NewTopics(cluster.NewMemoryBus())
	defer n.Close()
	for _, opts := range [][]cluster.TopicOption{nil, {cluster.WithHistory(1, time.Hour)}} {
		to := cluster.TopicOf[*text](n.Node, "room", opts...)
		say(t, to, strings.Repeat("a", cluster.MaxTopicMessage-10))
		err := to.Publish(t.Context(), wrapperspb.String(strings.Repeat("a", cluster.MaxTopicMessage)))
		expectCode(t, err, rpc.CodeResourceExhausted)
	}
}

func TestSubscriptionsEndWithTheirNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, cluster.NewMemoryBus())
		topics := []*topic{n.topic(), n.topic(cluster.WithHistory(1, time.Hour))}
		for _, to := range topics {
			say(t, to, "before")
		}
		first, second := subscribe(t, topics[0], "", 1), subscribe(t, topics[1], "", 1)
		n.Close()
		expectCode(t, <-first.end, rpc.CodeUnavailable)
		expectCode(t, <-second.end, rpc.CodeUnavailable)
		for _, to := range topics {
			expectCode(t, to.Publish(t.Context(), wrapperspb.String("a")), rpc.CodeUnavailable)
			expectCode(t, <-subscribe(t, to, "", 1).end, rpc.CodeUnavailable)
		}
	})
}

func TestSubscriptionCannotBeginWithoutABus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, cluster.NewMemoryBus())
		n.setAvailable(cluster.BusChange{})
		kept := n.topic(cluster.WithHistory(10, time.Hour))
		expectCode(t, <-subscribe(t, kept, "", 1).end, rpc.CodeUnavailable)
		expectCode(t, kept.Publish(t.Context(), wrapperspb.String("a")), rpc.CodeUnavailable)
		expectCode(t, n.topic().Publish(t.Context(), wrapperspb.String("a")), rpc.CodeUnavailable)
		n.setAvailable(cluster.BusChange{Available: true})
		s := subscribe(t, kept, "", 1)
		say(t, kept, "later")
		s.expect("later")
	})
}

func TestServeEndsWithItsSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, cluster.NewMemoryBus())
		gone := errors.New("gone")
		end := make(chan error)
		go func() {
			end <- n.topic().Serve(t.Context(), "", func(delivery) error { return gone })
		}()
		synctest.Wait()
		say(t, n.topic(), "one")
		if err := <-end; !errors.Is(err, gone) {
			t.Errorf("Serve returned %v", err)
		}
	})
}

func TestMessageThatCannotBeDecodedIsAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, cluster.NewMemoryBus())
		for _, opts := range [][]cluster.TopicOption{nil, {cluster.WithHistory(10, time.Hour)}} {
			other := cluster.TopicOf[*wrapperspb.BytesValue](n.Topics.Node, "room", opts...)
			s := subscribe(t, n.topic(opts...), "", 10)
			if err := other.Publish(t.Context(), wrapperspb.Bytes([]byte{0xff})); err != nil {
				t.Fatal(err)
			}
			say(t, n.topic(opts...), "two")
			s.expect("+1", "two")
			s.stop()
		}
	})
}
