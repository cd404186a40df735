// Package bustest has the tests that each implementation of cluster.Bus must
// pass.
package bustest

import (
	"context"
	"testing"
	"time"

	"github.com/parley-rpc/parley/ext/cluster"
)

// Ends are two ends of one bus, as two nodes have them. Both may be the same.
type Ends struct {
	Bus  cluster.Bus
	Peer cluster.Bus
	// SetAvailable cuts Bus from the rest, and repairs it.
	SetAvailable func(bool)
}

// Test checks what the comments of cluster.Bus say and, if the bus is a
// cluster.LogBus, what those say. Each subtest gets ends of its own, which
// newBus ends by t.Cleanup.
func Test(t *testing.T, newBus func(t *testing.T) Ends) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, e Ends)
	}{
		{"EachSubscriptionGetsAMessageOnce", testEachSubscriptionGetsAMessageOnce},
		{"MessagesOfAPublisherStayInOrder", testMessagesOfAPublisherStayInOrder},
		{"ReceiveMayPublish", testReceiveMayPublish},
		{"AClosedSubscriptionGetsNothing", testAClosedSubscriptionGetsNothing},
		{"ARequestWithoutSubscribersFailsAtOnce", testARequestWithoutSubscribersFailsAtOnce},
		{"ARequestGetsAllReplies", testARequestGetsAllReplies},
		{"SubjectsAreChecked", testSubjectsAreChecked},
		{"SubscriptionsSurviveACut", testSubscriptionsSurviveACut},
		{"OnChangeStops", testOnChangeStops},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, newBus(t)) })
	}
	testLogs(t, newBus)
}

// limit is how long a test waits for what must come.
const limit = 20 * time.Second

// within returns a context for one test.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// receive returns the next item of a channel.
func receive[T any](t *testing.T, from <-chan T) (item T) {
	t.Helper()
	select {
	case item = <-from:
	case <-time.After(limit):
		t.Fatal("nothing came")
	}
	return item
}

// subscribe returns what a subscription receives.
func subscribe(t *testing.T, bus cluster.Bus, subject string) <-chan string {
	t.Helper()
	got := make(chan string, 10_000)
	sub, err := bus.Subscribe(subject, func(m cluster.BusMessage) { got <- string(m.Data) })
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, sub)
	return got
}

func closeAtEnd(t *testing.T, sub cluster.BusSubscription) {
	t.Helper()
	t.Cleanup(func() {
		if err := sub.Close(); err != nil {
			t.Error(err)
		}
	})
}

func publish(t *testing.T, bus cluster.Bus, subject, data string) {
	t.Helper()
	b := []byte(data)
	if err := bus.Publish(subject, b); err != nil {
		t.Fatal(err)
	}
	clear(b) // the bus keeps no reference
}
