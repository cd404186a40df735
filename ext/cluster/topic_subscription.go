package cluster

import (
	"context"
	"errors"
	"math"

	"github.com/parley-rpc/parley/rpc"
)

// deliverFunc takes an event and the gap before its message. It reports whether
// the subscriber wants more.
type deliverFunc func(e *topicEvent, gap Gap) (more bool, err error)

// errStopped means that the subscriber wants no more.
var errStopped = errors.New("cluster: the subscriber has stopped")

// topicSubscription is one subscriber of a topic. It runs on the goroutine of
// the subscriber.
type topicSubscription struct {
	ctx      context.Context
	draining <-chan struct{} // nil: nothing drains
	name     string
	config   *topicConfig
	from     position
	deliver  deliverFunc
}

// give delivers an event.
func (s *topicSubscription) give(item queuedEvent) error {
	more, err := s.deliver(item.event, item.gap)
	if err == nil && !more {
		return errStopped
	}
	return err
}

// serve calls give with the events of a queue. Once the connection drains, it
// does so for those that are queued at that moment.
func (s *topicSubscription) serve(q *topicQueue, give func(queuedEvent) error) error {
	const all = math.MaxInt
	for left := all; ; {
		if left == all && isClosed(s.draining) {
			left = q.len()
		}
		if left == 0 {
			return rpc.RetryLater(0)
		}
		item, err := q.next(s.ctx, s.draining)
		if errors.Is(err, errDraining) {
			left = q.len()
			continue
		}
		if err == nil {
			err = give(item)
		}
		if err != nil {
			return err
		}
		if left < all {
			left--
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// result returns the error of a subscription that has ended with err.
func (s *topicSubscription) result(err error) error {
	switch {
	case errors.Is(err, errStopped):
		return nil
	case errors.Is(err, errQueueFull):
		return rpc.Errorf(rpc.CodeResourceExhausted, "topic %q: the subscriber is too slow: %d messages wait", s.name, s.config.queue.messages)
	}
	return err
}

// busError returns the status of an error of the bus.
func busError(name string, err error) error {
	code := rpc.CodeOf(err)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrBusUnavailable):
		code = rpc.CodeUnavailable
	case errors.Is(err, errTooManyLogs):
		code = rpc.CodeResourceExhausted
	case code == rpc.CodeUnknown:
		code = rpc.CodeInternal
	}
	return rpc.Errorf(code, "topic %q: %w", name, err)
}
