package wan

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/parley-rpc/parley/bench/internal/drive"
)

// cutLink resets the connection in the middle of a download. The session
// resumes on a new one.
func cutLink(ctx context.Context, b *bench) (f drive.Figures, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c, err := b.dial(ctx)
	if err != nil {
		return nil, err
	}
	s := new(silence)
	down := newFlow(time.Now())
	down.heard = s.end
	var running sync.WaitGroup
	running.Go(func() { cancel(down.download(ctx, c)) }) // it has no end, but that of ctx
	f, err = measureCut(ctx, b, down, s)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	cancel(nil)
	err = errors.Join(err, c.Close())
	running.Wait()
	return f, err
}

func measureCut(ctx context.Context, b *bench, down *flow, s *silence) (drive.Figures, error) {
	if err := drive.Pause(ctx, b.warmup()); err != nil {
		return nil, err
	}
	before, err := b.received(down)
	if err != nil {
		return nil, err
	}
	cut := time.Now()
	s.begin(cut)
	if err := b.far.cut(); err != nil {
		return nil, err
	}
	if err := drive.Pause(ctx, max(b.For, 10*b.Path.RoundTrip)); err != nil {
		return nil, err
	}
	after, err := b.received(down)
	if err != nil {
		return nil, err
	}
	return drive.Figures{
		Resumed.Name:   millis(s.over().Sub(cut)),
		SentTwice.Name: float64(after.lost+max(after.beyond-before.beyond, 0)) / mebibyte,
	}, nil
}

// received is what has come of a download.
type received struct {
	lost   int64 // bytes that were on a link when it was cut
	beyond int64 // bytes that came beyond the messages that the caller has: frames, and what came twice
}

func (b *bench) received(down *flow) (r received, err error) {
	counts, err := b.far.counts()
	r.lost = counts.Down.Lost
	r.beyond = counts.Down.Delivered - down.bytes.Load()
	return r, err
}

// silence is the longest time without a message.
type silence struct {
	mu      sync.Mutex
	last    time.Time // message; or when it began to look
	ended   time.Time
	longest time.Duration
}

// begin begins to look.
func (s *silence) begin(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.ended, s.longest = now, now, 0
}

// end is called with each message.
func (s *silence) end(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := now.Sub(s.last); d > s.longest {
		s.longest, s.ended = d, now
	}
	s.last = now
}

// over returns when it ended.
func (s *silence) over() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}
