package path

import (
	"sync"
	"time"
)

// bottleneck computes when bytes that enter a queue have left it at a rate. It
// holds no bytes. Times are since an arbitrary start.
type bottleneck struct {
	rate  Rate
	queue time.Duration // how much may wait

	mu   sync.Mutex
	free time.Duration // when all that was admitted has left
}

// admit appends n bytes to the queue. They have left at departs. The sender may
// bring more at room, when the queue is no longer full. As that is checked
// after each chunk, the queue exceeds its bound by one chunk of each sender.
func (b *bottleneck) admit(now time.Duration, n int) (departs, room time.Duration) {
	if b.rate == 0 {
		return now, now
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free = max(b.free, now) + time.Duration(float64(n)/float64(b.rate)*float64(time.Second))
	return b.free, max(b.free-b.queue, now)
}

const (
	maxChunk = 64 << 10 // bytes
	minChunk = 1 << 10
)

// chunk is how much is read from a sender at once: what leaves in a
// millisecond, so that pacing is as fine as timers are.
func (b *bottleneck) chunk() int {
	if b.rate == 0 {
		return maxChunk
	}
	return min(max(int(float64(b.rate)/1000), minChunk), maxChunk)
}

// inFlight returns how many bytes may be on their way, queue included. It
// bounds what waits for a receiver that does not read. The bound is never
// reached while the receiver reads.
func (b *bottleneck) inFlight(delay time.Duration) int {
	const unlimited, slack = 64 << 20, 256 << 10
	if b.rate == 0 {
		return unlimited
	}
	return slack + int(2*float64(b.rate)*(delay+b.queue).Seconds())
}
