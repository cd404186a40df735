package bustest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/parley-rpc/parley/ext/cluster"
)

func testEachSubscriptionGetsAMessageOnce(t *testing.T, e Ends) {
	all := []<-chan string{subscribe(t, e.Bus, "a.b"), subscribe(t, e.Bus, "a.b"), subscribe(t, e.Peer, "a.b")}
	other := subscribe(t, e.Bus, "a.c")
	publish(t, e.Bus, "a.b", "one")
	publish(t, e.Bus, "a.b", "")
	publish(t, e.Bus, "a.b", "end")
	publish(t, e.Bus, "a.c", "other")
	for i, got := range all {
		for _, want := range []string{"one", "", "end"} {
			if s := receive(t, got); s != want {
				t.Errorf("subscription %d got %q, want %q", i, s, want)
			}
		}
	}
	if s := receive(t, other); s != "other" {
		t.Errorf("the other subject got %q", s)
	}
}

func testMessagesOfAPublisherStayInOrder(t *testing.T, e Ends) {
	const publishers, each = 4, 500
	var inside atomic.Int32
	got := make(chan [2]int, publishers*each)
	sub, err := e.Peer.Subscribe("order", func(m cluster.BusMessage) {
		if inside.Add(1) != 1 {
			t.Error("receive runs twice at once")
		}
		var item [2]int
		if _, err := fmt.Sscan(string(m.Data), &item[0], &item[1]); err != nil {
			t.Error(err)
		}
		got <- item
		inside.Add(-1)
	})
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, sub)
	var all sync.WaitGroup
	for p := range publishers {
		all.Go(func() {
			for i := range each {
				if err := e.Bus.Publish("order", fmt.Appendf(nil, "%d %d", p, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var next [publishers]int
	for range publishers * each {
		item := receive(t, got)
		if item[1] != next[item[0]] {
			t.Fatalf("publisher %d: message %d, want %d", item[0], item[1], next[item[0]])
		}
		next[item[0]]++
	}
	all.Wait()
}

func testReceiveMayPublish(t *testing.T, e Ends) {
	done := subscribe(t, e.Bus, "done")
	// The messages of a publisher arrive in order, even those that it publishes
	// while it receives.
	order := subscribe(t, e.Bus, "loop")
	sub, err := e.Bus.Subscribe("loop", func(m cluster.BusMessage) {
		next, subject := string(m.Data)+"x", "loop"
		if len(next) == 20 {
			subject = "done"
		}
		if err := e.Bus.Publish(subject, []byte(next)); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, sub)
	publish(t, e.Bus, "loop", "x")
	if s := receive(t, done); s != strings.Repeat("x", 20) {
		t.Errorf("got %q", s)
	}
	for n := 1; n < 20; n++ {
		if s := receive(t, order); len(s) != n {
			t.Errorf("message %d has %d bytes", n, len(s))
		}
	}
}

func testAClosedSubscriptionGetsNothing(t *testing.T, e Ends) {
	var closed atomic.Bool
	sub, err := e.Bus.Subscribe("closed", func(cluster.BusMessage) {
		if closed.Load() {
			t.Error("receive was called after Close")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.Close(); err != nil {
		t.Fatal(err)
	}
	closed.Store(true)
	rest := subscribe(t, e.Bus, "closed")
	publish(t, e.Bus, "closed", "one")
	receive(t, rest)
}

func testARequestWithoutSubscribersFailsAtOnce(t *testing.T, e Ends) {
	n := 0
	for _, err := range e.Bus.Request(within(t), "silence", []byte("ask")) {
		if n++; !errors.Is(err, cluster.ErrNoSubscribers) {
			t.Errorf("got %v", err)
		}
	}
	if n != 1 {
		t.Errorf("%d items", n)
	}
}

func testARequestGetsAllReplies(t *testing.T, e Ends) {
	for i, bus := range []cluster.Bus{e.Bus, e.Peer} {
		sub, err := bus.Subscribe("ask", func(m cluster.BusMessage) {
			if m.Reply == nil {
				t.Error("a request has no Reply")
				return
			}
			if err := m.Reply(fmt.Appendf(nil, "%s %d", m.Data, i)); err != nil {
				t.Error(err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		closeAtEnd(t, sub)
	}
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	got := make(map[string]bool)
	var last error
	for reply, err := range e.Bus.Request(ctx, "ask", []byte("who")) {
		if last = err; err != nil {
			continue
		}
		if got[string(reply)] = true; len(got) == 2 {
			cancel()
		}
	}
	if !got["who 0"] || !got["who 1"] || len(got) != 2 {
		t.Errorf("replies: %v", got)
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("the last item is %v", last)
	}
	for _, err := range e.Bus.Request(within(t), "ask", []byte("who")) {
		if err != nil {
			t.Error(err)
		}
		break // the rest is dropped
	}
}

func testSubjectsAreChecked(t *testing.T, e Ends) {
	for _, subject := range []string{"", ".", "a.", ".a", "a..b", "a b", "a.*", "a.>", "ä", strings.Repeat("a", 256)} {
		if err := e.Bus.Publish(subject, nil); err == nil {
			t.Errorf("Publish to %q succeeded", subject)
		}
		if sub, err := e.Bus.Subscribe(subject, func(cluster.BusMessage) {}); err == nil {
			closeAtEnd(t, sub)
			t.Errorf("Subscribe to %q succeeded", subject)
		}
		for _, err := range e.Bus.Request(within(t), subject, nil) {
			if err == nil || errors.Is(err, cluster.ErrNoSubscribers) {
				t.Errorf("Request to %q: %v", subject, err)
			}
			break
		}
	}
	if err := e.Bus.Publish(strings.Repeat("a", 255), nil); err != nil {
		t.Error(err)
	}
}

func testSubscriptionsSurviveACut(t *testing.T, e Ends) {
	got := subscribe(t, e.Bus, "cut")
	changes := make(chan cluster.BusChange, 100)
	defer e.Bus.OnChange(func(c cluster.BusChange) { changes <- c })()
	if !e.Bus.Available() {
		t.Fatal("the bus is not available")
	}
	e.SetAvailable(false)
	if c := receive(t, changes); c.Available {
		t.Errorf("a cut: %+v", c)
	}
	if e.Bus.Available() {
		t.Error("a bus that is cut is available")
	}
	for _, err := range e.Bus.Request(within(t), "cut", nil) {
		if !errors.Is(err, cluster.ErrBusUnavailable) {
			t.Errorf("Request: %v", err)
		}
		break
	}
	e.SetAvailable(true)
	lost := false
	for c := (cluster.BusChange{}); !c.Available; {
		c = receive(t, changes)
		lost = lost || c.Lost
	}
	if !lost {
		t.Error("messages may have been lost, which was not told")
	}
	publish(t, e.Bus, "cut", "again")
	for s := ""; s != "again"; {
		s = receive(t, got)
	}
}

func testOnChangeStops(t *testing.T, e Ends) {
	changes := make(chan cluster.BusChange, 100)
	e.Bus.OnChange(func(cluster.BusChange) { t.Error("called after stop") })()
	defer e.Bus.OnChange(func(c cluster.BusChange) { changes <- c })()
	e.SetAvailable(false)
	receive(t, changes)
	e.SetAvailable(true)
	receive(t, changes)
}
