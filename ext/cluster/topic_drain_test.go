package cluster

import (
	"testing"

	"github.com/parley-rpc/parley/rpc"
)

func TestDrainingSubscriptionSendsWhatIsQueued(t *testing.T) {
	q := newTopicQueue(queueConfig{messages: 10, policy: DropOldest})
	e := &topicEvent{hasMessage: true}
	for range 3 {
		q.push(e, Gap{})
	}
	draining := make(chan struct{})
	close(draining)
	s := topicSubscription{ctx: t.Context(), draining: draining}
	sent := 0
	err := s.serve(q, func(queuedEvent) error {
		sent++
		q.push(e, Gap{}) // what comes while the connection drains is not waited for
		return nil
	})
	if _, later := rpc.RetryAfter(err); !later {
		t.Errorf("serve returned %v", err)
	}
	if sent != 3 {
		t.Errorf("%d events were sent", sent)
	}
}

func TestIdleSubscriptionEndsWhenTheConnectionDrains(t *testing.T) {
	q := newTopicQueue(queueConfig{messages: 10, policy: DropOldest})
	draining := make(chan struct{})
	s := topicSubscription{ctx: t.Context(), draining: draining}
	end := make(chan error)
	go func() { end <- s.serve(q, func(queuedEvent) error { return nil }) }()
	close(draining)
	if _, later := rpc.RetryAfter(<-end); !later {
		t.Error("serve does not ask for another call")
	}
}

func TestDrainingReaderOfAHistoryDoesNotWait(t *testing.T) {
	bus := NewMemoryBus()
	h := newTopicHub(bus, "parley", newNodeID())
	defer h.close()
	draining := make(chan struct{})
	c := defaultTopicConfig()
	WithHistory(10, 1<<40)(&c)
	gaps := 0
	err := h.follow(topicSubscription{
		ctx: t.Context(), draining: draining, name: "room", config: &c,
		from: position{kind: positionHistory, number: 1 << 60}, // what is lost: the log has nothing to read
		deliver: func(_ *topicEvent, gap Gap) (bool, error) {
			if gap.Missing() {
				gaps++
				close(draining)
			}
			return true, nil
		},
	})
	if _, later := rpc.RetryAfter(err); !later || gaps != 1 {
		t.Errorf("follow returned %v after %d gaps", err, gaps)
	}
}
