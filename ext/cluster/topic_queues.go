package cluster

import (
	"sync"
	"time"
)

// While messages of a topic come fast, its subscribers get them in groups. To
// wake a subscriber and to write to its client costs several times as much as one
// more message in what is written. The more subscribers there are, the longer is
// a group, so that the cost of waking them leaves time for other work. The first
// message after a pause is in no group.
const (
	groupPerSubscriber = 100 * time.Microsecond
	minGroup           = time.Millisecond // few subscribers get each message at once
	maxGroup           = 10 * time.Millisecond
)

// groupOf returns how long a group lasts, with so many subscribers on this node.
func groupOf(subscribers int) time.Duration {
	d := min(time.Duration(subscribers)*groupPerSubscriber, maxGroup)
	if d < minGroup {
		return 0
	}
	return d
}

// topicQueues are the queues of the subscribers of a topic on a node.
type topicQueues struct {
	mu      sync.Mutex
	all     []*topicQueue
	until   time.Time // the end of the group that has begun
	waiting bool      // a timer wakes all subscribers then
}

func (s *topicQueues) add(q *topicQueue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q.index = len(s.all)
	s.all = append(s.all, q)
}

// remove removes a queue that was added.
func (s *topicQueues) remove(q *topicQueue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.all) - 1
	s.all[q.index] = s.all[last]
	s.all[q.index].index = q.index
	s.all[last] = nil
	s.all = s.all[:last]
}

// push adds an event to all queues. Their subscribers are woken now, or at the
// end of the group.
func (s *topicQueues) push(e *topicEvent, gap Gap) {
	s.mu.Lock()
	defer s.mu.Unlock()
	group := groupOf(len(s.all))
	if group > 0 && !s.waiting {
		now := time.Now()
		if left := s.until.Sub(now); left > 0 {
			s.waiting = true
			time.AfterFunc(left, s.endGroup)
		} else {
			s.until = now.Add(group)
		}
	}
	for _, q := range s.all {
		if s.waiting {
			q.pushQuietly(e, gap)
		} else {
			q.push(e, gap)
		}
	}
}

// endGroup wakes all subscribers, and begins the next group.
func (s *topicQueues) endGroup() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = false
	s.until = time.Now().Add(groupOf(len(s.all)))
	for _, q := range s.all {
		q.wakeWaiting()
	}
}

// fail ends all queues.
func (s *topicQueues) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.all {
		q.fail(err)
	}
}
