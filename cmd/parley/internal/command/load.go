package command

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/parley-rpc/parley/rpc"
)

// load makes a number of concurrent calls.
type load struct {
	callers  []rpc.Caller
	method   *rpc.Method
	requests []rpc.Raw // of each call
	opts     []rpc.CallOption
	inFlight int
	calls    int64         // 0: as many as the duration allows
	duration time.Duration // 0: until all calls are made
	timeout  time.Duration

	begun  time.Time
	left   atomic.Int64 // calls
	shards []*shard
}

// shard counts a part of the calls, to avoid contention.
type shard struct {
	mu     sync.Mutex
	times  *hdrhistogram.Histogram
	failed map[rpc.Code]int64
}

// Times from a microsecond to an hour are kept, in nanoseconds, with three
// digits.
const (
	leastTime = int64(time.Microsecond) // Times from a microsecond to an hour are kept, in nanoseconds, with three digits.
	mostTime  = int64(time.Hour)
	digits    = 3
)

func newShard() *shard {
	return &shard{times: hdrhistogram.New(leastTime, mostTime, digits), failed: make(map[rpc.Code]int64)}
}

// count counts a call with its status.
func (s *shard) count(took time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.failed[rpc.CodeOf(err)]++
		return
	}
	_ = s.times.RecordValue(min(max(int64(took), leastTime), mostTime)) // is in range
}

// prepare prepares the load.
func (l *load) prepare() {
	for range min(l.inFlight, 2*runtime.GOMAXPROCS(0)) {
		l.shards = append(l.shards, newShard())
	}
	l.left.Store(l.calls)
	l.begun = time.Now()
}

// run makes the calls, until all are made, the duration is over or ctx ends. It
// does not count calls that are in flight then.
func (l *load) run(ctx context.Context) measured {
	ctx, cancel := context.WithCancel(ctx) // not a deadline, which the calls would have too
	defer cancel()
	if l.duration > 0 {
		defer time.AfterFunc(l.duration, cancel).Stop()
	}
	var all sync.WaitGroup
	for i := range l.inFlight {
		all.Go(func() { l.work(ctx, l.callers[i%len(l.callers)], l.shards[i%len(l.shards)]) })
	}
	all.Wait()
	return l.measure()
}

// work makes calls one after another.
func (l *load) work(ctx context.Context, c rpc.Caller, s *shard) {
	for ctx.Err() == nil && (l.calls == 0 || l.left.Add(-1) >= 0) {
		begun := time.Now()
		err := l.call(ctx, c)
		if err != nil && ctx.Err() != nil {
			return
		}
		s.count(time.Since(begun), err)
		if errors.Is(err, rpc.CodeUnavailable) {
			pause(ctx, 100*time.Millisecond) // the server may come back
		}
	}
}

// call makes a call and waits for its status.
func (l *load) call(ctx context.Context, c rpc.Caller) error {
	opts := l.opts
	if l.timeout > 0 {
		opts = append(opts[:len(opts):len(opts)], rpc.WithTimeout(l.timeout))
	}
	s, err := c.Open(ctx, l.method, opts...)
	if err != nil {
		return err
	}
	defer s.Close()
	if l.method.ClientStreams && l.method.ServerStreams {
		// If sending fails receiving tells why.
		var sending sync.WaitGroup
		sending.Go(func() { _ = l.send(s) })
		defer sending.Wait()
	} else if err := l.send(s); err != nil {
		return err
	}
	var answer rpc.Raw
	for {
		err := s.Recv(&answer)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// send sends all requests of a call.
func (l *load) send(s rpc.Stream) error {
	for i := range l.requests {
		if err := s.Send(&l.requests[i]); errors.Is(err, rpc.ErrFinished) {
			return nil // the answer is there already
		} else if err != nil {
			return err
		}
	}
	return s.CloseSend()
}
