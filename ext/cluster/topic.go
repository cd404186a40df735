package cluster

import (
	"context"
	"iter"

	"google.golang.org/protobuf/proto"

	"github.com/parley-rpc/parley/rpc"
)

// Topic carries messages of one type to its subscribers on all nodes. It is
// ephemeral, unless it has WithHistory. A Topic holds nothing: make one wherever
// it is needed, with the same options everywhere. Any goroutine may use it.
//
// What is lost is told: a subscriber gets a [Gap] as soon as its node notices
// that messages are missing. A node notices from the numbers of the messages and
// from the bus. It cannot notice the loss of the last messages of a node that
// crashes.
type Topic[T proto.Message] struct {
	hub     *topicHub
	name    string
	config  topicConfig
	err     error // of TopicOf
	message T     // makes messages
}

// TopicOf returns the topic of a node with a name, which has 1 to 1,024 bytes.
// If the name or an option is invalid, all methods of the topic fail with
// CodeInvalidArgument. If the topic has WithHistory and the bus is no LogBus,
// they fail with CodeFailedPrecondition.
func TopicOf[T proto.Message](n *Node, name string, opts ...TopicOption) *Topic[T] {
	t := &Topic[T]{hub: n.topics, name: name, config: defaultTopicConfig()}
	for _, o := range opts {
		o(&t.config)
	}
	t.err = t.config.check(t.hub, name)
	return t
}

// Publish sends a message to the subscribers on all nodes. With history it
// returns when the message is stored. Otherwise it does not wait. The messages
// of successive calls arrive in their order. An error with CodeUnavailable says
// that an ephemeral message was not sent, and that one with history may not have
// been stored. CodeResourceExhausted says that it has more than MaxTopicMessage
// bytes.
func (t *Topic[T]) Publish(ctx context.Context, msg T) error {
	if t.err != nil {
		return t.err
	}
	if err := ctx.Err(); err != nil {
		return rpc.StatusOf(err)
	}
	if t.config.history {
		return t.hub.appendMessage(ctx, t.name, t.config.limits, msg)
	}
	return t.hub.publish(t.name, msg)
}

// Subscribe ranges over the messages of the topic, from a position on. The
// subscription begins when the loop does, and ends with it. If ctx ends, its
// error is the last item. Other errors are the last item too: CodeInvalidArgument
// for a malformed position, CodeUnavailable if the bus cannot be reached at the
// start, CodeResourceExhausted after [EndSlow].
//
// The sequence can be ranged over again; it then begins at the same position.
func (t *Topic[T]) Subscribe(ctx context.Context, from Position) iter.Seq2[Delivery[T], error] {
	return func(yield func(Delivery[T], error) bool) {
		err := t.subscribe(ctx, from, nil, func(e *topicEvent, gap Gap) (more bool, err error) {
			return yield(t.delivery(e, gap), nil), nil
		})
		if err != nil {
			yield(Delivery[T]{}, err)
		}
	}
}

// Serve is for handlers of streams: it calls send with what Subscribe ranges
// over, until send fails, ctx ends, or the connection of the call drains. Then
// it sends what is queued, and returns [rpc.RetryLater]: a client that uses
// [rpc.Follow] continues at another server.
func (t *Topic[T]) Serve(ctx context.Context, from Position, send func(Delivery[T]) error) error {
	return t.subscribe(ctx, from, rpc.Draining(ctx), func(e *topicEvent, gap Gap) (more bool, err error) {
		if err := send(t.delivery(e, gap)); err != nil {
			return false, err
		}
		return true, nil
	})
}

// subscribe calls deliver with each event until it returns false or an error.
// It returns nil only after false.
func (t *Topic[T]) subscribe(ctx context.Context, from Position, draining <-chan struct{}, deliver deliverFunc) error {
	if t.err != nil {
		return t.err
	}
	pos, err := parsePosition(from)
	if err != nil {
		return err
	}
	run := t.hub.subscribe
	if t.config.history {
		run = t.hub.follow
	}
	return run(topicSubscription{
		ctx: ctx, draining: draining, name: t.name, config: &t.config, from: pos, deliver: deliver,
	})
}

// delivery returns the delivery of an event, whose gap is counted.
func (t *Topic[T]) delivery(e *topicEvent, gap Gap) Delivery[T] {
	d := t.decode(e, gap)
	if d.Gap.Missing() {
		t.hub.gaps.Add(1)
	}
	return d
}

// decode returns the delivery of an event. A message that cannot be decoded is
// missing: another version may have published it.
func (t *Topic[T]) decode(e *topicEvent, gap Gap) Delivery[T] {
	d := Delivery[T]{Position: e.position, Gap: gap}
	if !e.hasMessage {
		return d
	}
	msg := t.message.ProtoReflect().New().Interface().(T)
	if rpc.ProtoCodec().Unmarshal(e.data, msg) != nil {
		d.Gap = gap.plus(Gap{Count: 1})
		return d
	}
	d.Message = msg
	return d
}
