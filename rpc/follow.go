package rpc

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"
)

// Follow ranges over the messages of a server stream, and reopens the stream
// where it left off when it ends early: after a deploy, after a crash, and when
// the handler returns [RetryLater].
//
// A cursor is the position in the stream: start at first, and after each
// message what cursor returns for it, which names the last message received or
// the next one, as the method requires. open makes the call:
//
//	events := rpc.Follow(ctx, uint64(0),
//		func(ctx context.Context, after uint64) (rpc.Receiver[feedv1.Event], error) {
//			return feed.Watch(ctx, &feedv1.WatchRequest{After: after})
//		},
//		func(e *feedv1.Event) uint64 { return e.Number })
//	for event, err := range events {
//
// Before each further call Follow waits for a random time. Its bound starts at
// 100 ms, doubles with each call that brings no message, and does not exceed 10
// s. It is added to the delay that the callee has asked for (RetryAfter).
//
// The loop ends in one of three ways. The stream is complete (OK): there is no
// error. A call fails with a code other than CodeUnavailable and those of
// WithFollowCodes: the error is the last item. ctx ends: its error is the last
// item. Leaving the loop early cancels the call.
//
// The calls should be those of a Client. On a Conn that has ended, each call
// fails with CodeUnavailable, so ctx must end with the Conn.
//
// The sequence can be ranged over again; it then begins at start.
func Follow[T, C any](
	ctx context.Context, start C,
	open func(ctx context.Context, from C) (Receiver[T], error), cursor func(*T) C,
	opts ...FollowOption,
) iter.Seq2[*T, error] {
	cfg := followConfig{codes: []Code{CodeUnavailable}, first: initialDelay, max: maxDelay}
	for _, o := range opts {
		o(&cfg)
	}
	return func(yield func(*T, error) bool) {
		if cfg.err != nil {
			yield(nil, cfg.err)
			return
		}
		f := follower[T, C]{from: start, open: open, cursor: cursor, yield: yield}
		for failures := 1; ; failures++ {
			end := f.once(ctx)
			switch {
			case f.stopped, errors.Is(end, errComplete):
				return
			case ctx.Err() != nil:
				yield(nil, transportError(ctx.Err()))
				return
			case !slices.Contains(cfg.codes, CodeOf(end)):
				yield(nil, end)
				return
			case f.received:
				failures = 1
			}
			if !sleep(ctx, cfg.delay(failures, end)) {
				yield(nil, transportError(ctx.Err()))
				return
			}
		}
	}
}

// FollowOption configures Follow.
type FollowOption func(*followConfig)

type followConfig struct {
	codes      []Code
	first, max time.Duration
	err        error
}

// WithFollowCodes adds codes after which the call is made again, besides
// CodeUnavailable. CodeOK is not allowed.
func WithFollowCodes(codes ...Code) FollowOption {
	return func(c *followConfig) {
		if slices.Contains(codes, CodeOK) {
			c.err = Errorf(CodeInvalidArgument, "WithFollowCodes: OK is the end of the stream")
			return
		}
		c.codes = append(c.codes, codes...)
	}
}

// WithFollowBackoff bounds the random time before a further call: the bound is
// initial after a call that brought a message, doubles with each call that does
// not, and does not exceed maximum. Default 100 ms and 10 s.
func WithFollowBackoff(initial, maximum time.Duration) FollowOption {
	return func(c *followConfig) {
		if initial <= 0 || maximum < initial {
			c.err = Errorf(CodeInvalidArgument, "WithFollowBackoff: %v and %v: initial must be positive, and maximum at least initial", initial, maximum)
			return
		}
		c.first, c.max = initial, maximum
	}
}

// delay returns how long to wait after a call that has ended with err.
func (c *followConfig) delay(failures int, err error) time.Duration {
	after, _ := RetryAfter(err)
	return addDelays(after, fullJitter(failures, c.first, c.max))
}

// errComplete means that a stream has ended with OK.
var errComplete = errors.New("complete")

// follower is one loop over a followed stream.
type follower[T, C any] struct {
	from     C
	open     func(context.Context, C) (Receiver[T], error)
	cursor   func(*T) C
	yield    func(*T, error) bool
	received bool // the call has brought a message
	stopped  bool // the application has left the loop
}

// once makes the call once and returns its error.
func (f *follower[T, C]) once(ctx context.Context) error {
	f.received = false
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := f.open(ctx, f.from)
	if err != nil {
		return err
	}
	if stream.s == nil {
		return Errorf(CodeInternal, "Follow: open returned neither a stream nor an error")
	}
	for msg, err := range stream.All() {
		if err != nil {
			return err
		}
		f.received, f.from = true, f.cursor(msg)
		if !f.yield(msg, nil) {
			f.stopped = true
			return nil
		}
	}
	return errComplete
}
