package cluster

// topicQueues are the queues of the subscribers of a topic on a node.
type topicQueues []*topicQueue

func (s *topicQueues) add(q *topicQueue) {
	q.index = len(*s)
	*s = append(*s, q)
}

// remove removes a queue that was added.
func (s *topicQueues) remove(q *topicQueue) {
	all := *s
	last := len(all) - 1
	all[q.index] = all[last]
	all[q.index].index = q.index
	all[last] = nil
	*s = all[:last]
}

// push adds an event to all queues.
func (s topicQueues) push(e *topicEvent, gap Gap) {
	for _, q := range s {
		q.push(e, gap)
	}
}

// fail ends all queues.
func (s topicQueues) fail(err error) {
	for _, q := range s {
		q.fail(err)
	}
}
