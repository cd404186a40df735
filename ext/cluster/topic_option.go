package cluster

import (
	"time"

	"github.com/parley-rpc/parley/rpc"
)

// MaxTopicMessage is the largest size of a message of a topic, in bytes. NATS
// carries at most 1 MiB by default.
const MaxTopicMessage = 1<<20 - 1<<10

// Bounds of topics.
const (
	maxTopicName      = 1024
	maxTopicHistory   = 1_000_000
	maxTopicQueue     = 1 << 16
	defaultTopicQueue = 256
)

// TopicOption configures a topic.
type TopicOption func(*topicConfig)

type topicConfig struct {
	history bool
	limits  LogLimits
	start   bool // WithStartPosition
	queue   queueConfig
	err     error
}

func defaultTopicConfig() topicConfig {
	return topicConfig{queue: queueConfig{messages: defaultTopicQueue, policy: DropOldest}}
}

// WithHistory makes the bus, which must be a [LogBus], keep the latest messages
// of the topic, at most that many and that long. A subscriber that was away
// continues from its position. A slow subscriber reads from the history, and is
// told a gap if that does not reach far enough. The first node that uses the
// topic determines the limits.
func WithHistory(messages int, age time.Duration) TopicOption {
	return func(c *topicConfig) {
		if messages <= 0 || messages > maxTopicHistory || age <= 0 {
			c.err = rpc.Errorf(rpc.CodeInvalidArgument, "WithHistory: %d messages and %v: must be 1 to %d messages, and a positive age", messages, age, maxTopicHistory)
			return
		}
		c.history, c.limits = true, LogLimits{Messages: messages, Age: age}
	}
}

// WithStartPosition makes a subscription of a topic with history that is from
// now on begin with a [Delivery] that has nothing but its position. A subscriber
// that is cut off before the first message continues there, and misses nothing.
func WithStartPosition() TopicOption {
	return func(c *topicConfig) { c.start = true }
}

// WithLatest makes a subscriber of an ephemeral topic that is slow get only the
// latest message. How many it missed is its Gap.
func WithLatest() TopicOption { return WithQueue(1, DropOldest) }

// WithQueue bounds what waits for a subscriber of an ephemeral topic, in
// messages; the default is 256 with DropOldest. Besides, at most 4 MiB or one
// message wait.
func WithQueue(messages int, policy QueuePolicy) TopicOption {
	return func(c *topicConfig) {
		if messages <= 0 || messages > maxTopicQueue || policy != DropOldest && policy != EndSlow {
			c.err = rpc.Errorf(rpc.CodeInvalidArgument, "WithQueue: %d messages, policy %d: must be 1 to %d messages, and DropOldest or EndSlow", messages, policy, maxTopicQueue)
			return
		}
		c.queue = queueConfig{messages: messages, policy: policy}
	}
}

// QueuePolicy says what happens to a subscriber whose queue is full.
type QueuePolicy int

const (
	// DropOldest drops the oldest messages in the queue. The subscriber is told
	// how many.
	DropOldest QueuePolicy = iota + 1
	// EndSlow ends the subscription with CodeResourceExhausted.
	EndSlow
)

// check returns the error of a topic.
func (c *topicConfig) check(h *topicHub, name string) error {
	switch {
	case c.err != nil:
		return c.err
	case name == "" || len(name) > maxTopicName:
		return rpc.Errorf(rpc.CodeInvalidArgument, "topic name of %d bytes: must have 1 to %d", len(name), maxTopicName)
	case c.start && !c.history:
		return rpc.Errorf(rpc.CodeInvalidArgument, "topic %q has WithStartPosition: it needs WithHistory", name)
	case c.history && h.log == nil:
		return rpc.Errorf(rpc.CodeFailedPrecondition, "topic %q has WithHistory: the bus keeps no messages: it is no LogBus", name)
	}
	return nil
}
