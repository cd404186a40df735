package natsbus

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/parley-rpc/parley/ext/cluster"
)

// A log is a stream of JetStream with one subject. So the server keeps the
// limits with which a log was made, even while nodes with other limits are
// deployed, and numbers without a hole in between: a reader sees each gap.
// One stream for several logs has neither.

// logSubject returns the subject of NATS that has the log of a subject. No
// subject of a Bus has this token.
func logSubject(subject string) string { return subject + ".~log" }

// streamName returns the name of the stream of a subject's log. A name must have
// no dots.
func streamName(subject string) string {
	sum := sha256.Sum256([]byte(subject))
	return "parley_log_" + hex.EncodeToString(sum[:16])
}

// streamConfig returns the configuration of a stream that is made now. Numbers
// begin above those of a stream that it replaces.
func (b *Bus) streamConfig(subject string, limits cluster.LogLimits) (c jetstream.StreamConfig, err error) {
	if limits, err = limits.WithDefaults(); err != nil {
		return c, err
	}
	return jetstream.StreamConfig{
		Name:        streamName(subject),
		Description: "the log of " + subject,
		Subjects:    []string{logSubject(subject)},
		MaxMsgs:     int64(limits.Messages),
		MaxAge:      limits.Age,
		Discard:     jetstream.DiscardOld,
		Storage:     b.storage,
		Replicas:    b.replicas,
		FirstSeq:    uint64(time.Now().UnixMicro()),
	}, nil
}

// openStream returns the stream of a subject's log, and makes it if there is
// none.
func (b *Bus) openStream(ctx context.Context, subject string, limits cluster.LogLimits) (jetstream.Stream, error) {
	stream, err := b.js.Stream(ctx, streamName(subject)) // with its state
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return stream, err
	}
	config, err := b.streamConfig(subject, limits)
	if err != nil {
		return nil, err
	}
	stream, err = b.js.CreateStream(ctx, config)
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another node was faster
		return b.js.Stream(ctx, config.Name)
	}
	return stream, err
}

// online returns a context that ends with ctx, and when the connection is lost.
func (b *Bus) online(ctx context.Context) (online context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	b.mu.Lock()
	connected := b.connected
	b.mu.Unlock()
	unregister := context.AfterFunc(connected, func() { cancel(cluster.ErrBusUnavailable) })
	return ctx, func() {
		unregister()
		cancel(nil)
	}
}

// logError returns the error of a log's operation. online is what the operation
// ran with, and ctx what its caller gave.
func logError(ctx, online context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(context.Cause(online), cluster.ErrBusUnavailable):
		return cluster.ErrBusUnavailable
	}
	return unavailable(err)
}
