package notes

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/tests/deploy/gen/deploy/v1/deployv1parley"
)

// subscription is an endless stream, which is opened again when its server says
// "retry later".
type subscription struct {
	*Caller
	excuse Excuse
	got    sequence
	last   bool   // the latest note is marked as the last
	on     call   // of the open stream
	before Counts // the counts before that stream
	err    error  // how it has ended
}

// subscribe follows an endless stream until stop is closed.
func (c *Caller) subscribe(ctx context.Context, stop <-chan struct{}, excuse Excuse) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	s := &subscription{Caller: c, excuse: excuse}
	notes := rpc.Follow(ctx, uint64(0), s.open, func(n *note) uint64 { return n.Number + 1 },
		rpc.WithFollowBackoff(10*time.Millisecond, 100*time.Millisecond))
	for n, err := range notes {
		if err != nil {
			break
		}
		s.got.take(n.Number)
		s.last = n.Last
	}
	s.settle(ctx)
}

// open records the stream before and opens the next one.
func (s *subscription) open(ctx context.Context, from uint64) (rpc.Receiver[note], error) {
	if !s.settle(ctx) {
		return rpc.Receiver[note]{}, rpc.Errorf(rpc.CodeAborted, "the connection has ended")
	}
	s.on = call{id: s.IDs.last.Add(1), kind: subscribe, who: s.Who, began: time.Now()}
	s.last, s.err = false, errEnded
	req := &note{Call: s.on.id, Number: from, PaceMs: uint32(2 * s.Pace.Milliseconds())}
	in, err := rpc.CallServerStream[note, note](ctx, witness{s.Conn, &s.err}, deployv1parley.NoteServiceSubscribeMethod, req)
	if err != nil {
		s.err = err
	}
	return in, err
}

// errEnded is the error of an endless stream that has ended with OK.
var errEnded = errors.New("the endless stream ended without a word")

// settle records the stream that was open, if there was one. It reports false
// if excuse accepts its error.
func (s *subscription) settle(ctx context.Context) bool {
	if s.on.id == 0 {
		return true
	}
	err := s.err
	_, asked := rpc.RetryAfter(err)
	switch {
	case s.last && asked, ctx.Err() != nil:
		err = nil
	case s.excuse(s.on.began, err):
		return false
	}
	sum := Counts{Lost: len(s.got.missing), Duplicated: s.got.duplicated, Reordered: s.got.reordered}
	s.Book.done(s.on, Counts{
		Lost:       sum.Lost - s.before.Lost,
		Duplicated: sum.Duplicated - s.before.Duplicated,
		Reordered:  sum.Reordered - s.before.Reordered,
	}, err)
	s.on, s.before = call{}, sum
	return true
}

// witness records the error with which a stream has ended.
type witness struct {
	rpc.Caller
	err *error
}

func (w witness) Open(ctx context.Context, m *rpc.Method, opts ...rpc.CallOption) (rpc.Stream, error) {
	st, err := w.Caller.Open(ctx, m, opts...)
	return witnessed{st, w.err}, err
}

type witnessed struct {
	rpc.Stream
	err *error
}

func (w witnessed) Recv(msg any) error {
	err := w.Stream.Recv(msg)
	if err != nil && !errors.Is(err, io.EOF) {
		*w.err = err
	}
	return err
}
