package natsbus

import (
	"context"
	"errors"
	"iter"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/parley-rpc/parley/ext/cluster"
)

var _ cluster.LogBus = (*Bus)(nil)

// Append implements cluster.LogBus.
func (b *Bus) Append(ctx context.Context, subject string, limits cluster.LogLimits, data []byte) (uint64, error) {
	if err := b.checkLog(ctx, subject); err != nil {
		return 0, err
	}
	online, stop := b.online(ctx)
	defer stop()
	number, err := b.append(online, subject, limits, data)
	if err != nil {
		return 0, logError(ctx, online, err)
	}
	return number, nil
}

// append stores data, and makes the stream if there is none.
func (b *Bus) append(ctx context.Context, subject string, limits cluster.LogLimits, data []byte) (uint64, error) {
	store := func() (*jetstream.PubAck, error) {
		return b.js.PublishMsg(ctx, &nats.Msg{Subject: logSubject(subject), Data: data}, jetstream.WithRetryAttempts(0))
	}
	ack, err := store()
	if errors.Is(err, jetstream.ErrNoStreamResponse) {
		if _, err := b.openStream(ctx, subject, limits); err != nil {
			return 0, err
		}
		ack, err = store()
	}
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// checkLog returns an error if there can be no log of the subject now.
func (b *Bus) checkLog(ctx context.Context, subject string) error {
	if err := b.check(subject); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if !b.Available() {
		return cluster.ErrBusUnavailable
	}
	return nil
}

// Last implements cluster.LogBus.
func (b *Bus) Last(ctx context.Context, subject string, _ cluster.LogLimits) (uint64, error) {
	if err := b.checkLog(ctx, subject); err != nil {
		return 0, err
	}
	online, stop := b.online(ctx)
	defer stop()
	stream, err := b.js.Stream(online, streamName(subject))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, logError(ctx, online, err)
	}
	info := stream.CachedInfo()
	if info.State.LastSeq < info.Config.FirstSeq {
		return 0, nil // made by a reader
	}
	return info.State.LastSeq, nil
}

// Read implements cluster.LogBus. It has a consumer at the server, and ends with
// the error if that fails.
func (b *Bus) Read(ctx context.Context, subject string, limits cluster.LogLimits, after uint64) iter.Seq2[cluster.LogEntry, error] {
	return func(yield func(cluster.LogEntry, error) bool) {
		if err := b.checkLog(ctx, subject); err != nil {
			yield(cluster.LogEntry{}, err)
			return
		}
		online, stop := b.online(ctx)
		defer stop()
		r := &logReader{bus: b, subject: subject, limits: limits, after: after, fromOldest: after == 0, yield: yield}
		if err := r.run(online); err != nil && !errors.Is(err, errStopped) {
			yield(cluster.LogEntry{}, logError(ctx, online, err))
		}
	}
}
