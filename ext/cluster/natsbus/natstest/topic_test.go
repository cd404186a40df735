package natstest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/ext/cluster"
	"github.com/parley-rpc/parley/rpc"
)

type delivery = cluster.Delivery[*wrapperspb.StringValue]

// follow subscribes to a topic until the test ends, again while the node is not
// connected to NATS yet.
func follow(t *testing.T, topic *cluster.Topic[*wrapperspb.StringValue], from cluster.Position) <-chan delivery {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	items, ended := make(chan delivery, 100), make(chan struct{})
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	go func() {
		defer close(ended)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for ; ctx.Err() == nil; <-tick.C {
			for d, err := range topic.Subscribe(ctx, from) {
				if err == nil {
					items <- d
				} else if ctx.Err() == nil && !errors.Is(err, rpc.CodeUnavailable) {
					t.Errorf("the subscription has ended: %v", err)
					return
				}
			}
		}
	}()
	return items
}

// A subscriber that was away while messages were published on another node
// continues from its position, though NATS was killed in between.
func TestTopicWithHistoryContinuesOnAnotherNode(t *testing.T) {
	server := newServer(t)
	one, _ := startNode(t, server.newBus())
	two, _ := startNode(t, server.newBus())
	history := cluster.WithHistory(100, time.Hour)
	here := cluster.TopicOf[*wrapperspb.StringValue](one, "news", history)
	there := cluster.TopicOf[*wrapperspb.StringValue](two, "news", history)
	publish := func(s string) {
		t.Helper()
		eventually(t, 5*time.Second, "publishing", func() error { return here.Publish(t.Context(), wrapperspb.String(s)) })
	}
	publish("0")
	first := receive(t, follow(t, here, cluster.Oldest))
	if first.Message.GetValue() != "0" || first.Gap.Missing() {
		t.Fatalf("the first delivery is %v", first)
	}
	publish("1")
	server.kill()
	server.start()
	publish("2")
	items := follow(t, there, first.Position)
	for i := 1; i <= 2; i++ {
		if d := receive(t, items); d.Message.GetValue() != fmt.Sprint(i) || d.Gap.Missing() {
			t.Errorf("delivery %d is %v", i, d)
		}
	}
}

func TestEphemeralTopicReachesEveryNode(t *testing.T) {
	server := newServer(t)
	one, _ := startNode(t, server.newBus())
	two, _ := startNode(t, server.newBus())
	here := follow(t, cluster.TopicOf[*wrapperspb.StringValue](one, "news"), "")
	there := follow(t, cluster.TopicOf[*wrapperspb.StringValue](two, "news"), "")
	topic := cluster.TopicOf[*wrapperspb.StringValue](one, "news")
	stop := make(chan struct{})
	published := make(chan struct{})
	go func() { // until both are subscribed
		defer close(published)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			select {
			case <-stop:
				return
			default:
				_ = topic.Publish(t.Context(), wrapperspb.String("hello"))
			}
		}
	}()
	for _, items := range []<-chan delivery{here, there} {
		for d := receive(t, items); d.Message.GetValue() != "hello"; d = receive(t, items) {
			if d.Message != nil {
				t.Errorf("received %v", d)
			}
		}
	}
	close(stop)
	<-published
}
