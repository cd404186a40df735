package natsbus

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/parley-rpc/parley/ext/cluster"
)

const (
	readAhead         = 256         // entries that the server sends before they are asked for
	readAheadBytes    = 4 << 20     // of these
	slowYield         = time.Second // a reader that takes longer may miss entries
	consumerInactive  = time.Minute // the server removes a consumer that nothing reads
	removeConsumerFor = time.Second
)

var (
	errStopped = errors.New("natsbus: the reader has stopped")
	errJump    = errors.New("natsbus: entries are missing")
)

// logReader reads the log of a subject.
type logReader struct {
	bus        *Bus
	subject    string
	limits     cluster.LogLimits
	yield      func(cluster.LogEntry, error) bool
	after      uint64 // number of the entry before
	fromOldest bool   // begin with the oldest entry
	gap        bool   // before the next entry
	jumped     uint64 // the value of after when entries were missing
	slow       bool   // the reader was slow: look for a gap when idle
}

// run reads until there is an error. When entries are missing, it looks whether
// they have expired, and reads again from the oldest that is kept.
func (r *logReader) run(ctx context.Context) error {
	for {
		stream, err := r.bus.openStream(ctx, r.subject, r.limits)
		if err != nil {
			return err
		}
		if err := r.seek(stream.CachedInfo().State); err != nil {
			return err
		}
		if err := r.follow(ctx, stream); !errors.Is(err, errJump) {
			return err
		}
	}
}

// seek compares the number of the entry before with what is kept, and tells a
// gap if no entry follows it.
func (r *logReader) seek(state jetstream.StreamState) error {
	before := state.FirstSeq - 1 // the number before the oldest entry, or the next one
	switch {
	case r.fromOldest:
		r.fromOldest, r.after = false, before
	case r.after >= before && r.after <= state.LastSeq:
	case state.Msgs == 0:
		r.after, r.gap = state.LastSeq, false
		if !r.yield(cluster.LogEntry{Number: r.after, Gap: true}, nil) {
			return errStopped
		}
	default:
		r.after, r.gap = before, true
	}
	return nil
}

// follow yields entries until there is an error, or entries are missing.
func (r *logReader) follow(ctx context.Context, stream jetstream.Stream) error {
	consumer, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       r.after + 1,
		AckPolicy:         jetstream.AckNonePolicy,
		InactiveThreshold: consumerInactive,
		MemoryStorage:     true,
		Replicas:          1,
	})
	if err != nil {
		return err
	}
	defer r.remove(stream, consumer.CachedInfo().Name)
	messages, err := consumer.Messages(jetstream.PullMaxMessagesWithBytesLimit(readAhead, readAheadBytes))
	if err != nil {
		return err
	}
	defer messages.Stop()
	for {
		m, err := r.next(ctx, messages)
		if err != nil {
			return err
		}
		if err := r.handle(m); err != nil {
			return err
		}
	}
}

// next returns the next entry. A slow reader that gets none for a while looks
// whether all have expired.
func (r *logReader) next(ctx context.Context, messages jetstream.MessagesContext) (jetstream.Msg, error) {
	if !r.slow {
		return messages.Next(jetstream.NextContext(ctx))
	}
	waiting, cancel := context.WithTimeout(ctx, slowYield)
	defer cancel()
	m, err := messages.Next(jetstream.NextContext(waiting))
	if err != nil && ctx.Err() == nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout)) {
		r.slow = false
		return nil, errJump
	}
	return m, err
}

// handle yields an entry.
func (r *logReader) handle(m jetstream.Msg) error {
	meta, err := m.Metadata()
	if err != nil {
		return err
	}
	number := meta.Sequence.Stream
	if number != r.after+1 {
		if r.jumped != r.after {
			r.jumped = r.after
			return errJump
		}
		r.gap = true // an entry in the middle was removed
	}
	e := cluster.LogEntry{Number: number, Data: m.Data(), Gap: r.gap}
	if e.Data == nil {
		e.Data = []byte{}
	}
	r.after, r.gap = number, false
	start := time.Now()
	if !r.yield(e, nil) {
		return errStopped
	}
	r.slow = r.slow || time.Since(start) > slowYield
	return nil
}

// remove removes a consumer. If that fails, the server does so after a while.
func (r *logReader) remove(stream jetstream.Stream, name string) {
	if !r.bus.Available() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), removeConsumerFor)
	defer cancel()
	_ = stream.DeleteConsumer(ctx, name)
}
