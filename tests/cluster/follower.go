package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/parley-rpc/parley/ext/cluster"
	"github.com/parley-rpc/parley/rpc"
	clusterv1 "github.com/parley-rpc/parley/tests/cluster/gen/cluster/v1"
	"github.com/parley-rpc/parley/tests/cluster/gen/cluster/v1/clusterv1parley"
)

// follower follows a topic over everything that happens to its connection, and
// counts what it gets.
type follower struct {
	who   string
	topic string
	pace  time.Duration // it takes so long for each item
	until time.Time     // and then no time

	mu      sync.Mutex
	got     map[uint32]*series // by publisher
	told    int                // gaps
	count   uint64             // items that were told to be missing
	unknown bool               // more may be missing than that
	last    time.Time          // when a gap was told last
	err     error
}

// series is what came of one publisher.
type series struct {
	next       uint64
	told       int // gaps that were told before next
	missing    []uint64
	hidden     []uint64 // missing, and no gap was told
	duplicated int
	reordered  int
}

// run follows the topic until ctx ends.
func (f *follower) run(ctx context.Context, client rpc.Caller) {
	stub := clusterv1parley.NewTopicServiceClient(client)
	start := ""
	if f.topic == record {
		start = string(cluster.Oldest)
	}
	open := func(ctx context.Context, from string) (rpc.Receiver[clusterv1.FollowResponse], error) {
		return stub.Follow(ctx, &clusterv1.FollowRequest{Topic: f.topic, Position: from, PaceMs: uint32(f.pace.Milliseconds()), SlowUntilMs: f.until.UnixMilli()})
	}
	f.last = time.Now() // what was before is not known
	for res, err := range rpc.Follow(ctx, start, open, (*clusterv1.FollowResponse).GetPosition,
		rpc.WithFollowBackoff(10*time.Millisecond, 100*time.Millisecond)) {
		if err != nil {
			if ctx.Err() == nil {
				f.fail(err)
			}
			return
		}
		f.take(res)
	}
	f.fail(fmt.Errorf("the topic has ended"))
}

func (f *follower) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = fmt.Errorf("%s follows %s: %w", f.who, f.topic, err)
}

// take counts a gap, and an item.
func (f *follower) take(res *clusterv1.FollowResponse) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if res.Missing > 0 || res.MissingUnknown {
		f.told++
		f.count += res.Missing
		f.unknown = f.unknown || res.MissingUnknown
		f.last = time.Now()
	}
	it := res.Item
	if it == nil {
		return
	}
	s := f.got[it.Publisher]
	if s == nil {
		s = &series{}
		if f.topic == news && f.last.UnixMilli() >= it.BeganMs {
			s.next = it.Number // the follower began later, or was told of a gap since
		}
		f.got[it.Publisher] = s
	}
	if skipped := s.take(it.Number); f.told == s.told {
		s.hidden = append(s.hidden, skipped...)
	}
	s.told = f.told
}

// take counts an item, and returns the numbers that it skips.
func (s *series) take(number uint64) (skipped []uint64) {
	if number < s.next {
		if i := slices.Index(s.missing, number); i >= 0 {
			s.missing = slices.Delete(s.missing, i, i+1)
			s.reordered++
		} else {
			s.duplicated++
		}
		return nil
	}
	skipped = s.upTo(number)
	s.missing = append(s.missing, skipped...)
	s.next = number + 1
	return skipped
}

// upTo returns what is missing below number.
func (s *series) upTo(number uint64) (all []uint64) {
	for n := s.next; n < number; n++ {
		all = append(all, n)
	}
	return all
}

// topicCounts is what followers have counted.
type topicCounts struct {
	items      uint64
	told       int
	hidden     int
	lost       int // of the topic with history
	duplicated int
	reordered  int
	errs       []error
}

// caughtUp reports whether the follower has all that was published to its topic.
func (f *follower) caughtUp(all []published) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range all {
		if s := f.got[p.Process]; s == nil || s.next < p.end() {
			return false
		}
	}
	return true
}

// end returns one more than the highest number that was surely published.
func (p published) end() uint64 {
	end := p.Next
	for end > 0 && slices.Contains(p.Maybe, end-1) {
		end--
	}
	return end
}

// settle adds what the follower has counted. all is what the processes have
// published that were not killed.
func (f *follower) settle(c *topicCounts, all []published) {
	f.mu.Lock()
	defer f.mu.Unlock()
	maybe := make(map[uint32][]uint64)
	for _, p := range all {
		maybe[p.Process] = p.Maybe
		s := f.got[p.Process]
		if s == nil {
			s = &series{}
			if f.last.UnixMilli() > 0 && f.topic == news {
				s.next = p.end()
			}
			f.got[p.Process] = s
		}
		tail := s.upTo(p.end())
		s.missing = append(s.missing, tail...)
		if f.told == s.told {
			s.hidden = append(s.hidden, tail...)
		}
		s.next = max(s.next, p.end())
	}
	missing, hidden := 0, 0
	for process, s := range f.got {
		sure := func(numbers []uint64) int {
			return len(slices.DeleteFunc(slices.Clone(numbers), func(n uint64) bool { return slices.Contains(maybe[process], n) }))
		}
		c.items += s.next
		c.duplicated += s.duplicated
		c.reordered += s.reordered
		missing += sure(s.missing)
		if f.topic == record {
			c.lost += sure(s.missing)
		}
		hidden += sure(s.hidden)
	}
	if !f.unknown && f.topic == news {
		hidden = max(hidden, missing-int(f.count)) //nolint:gosec // a count of items
	}
	c.hidden += hidden
	c.told += f.told
	if f.err != nil {
		c.errs = append(c.errs, f.err)
	}
}
