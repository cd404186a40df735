package cluster

// SetAvailable cuts the bus, and repairs it.
func (b *MemoryBus) SetAvailable(available bool) {
	b.change(BusChange{Available: available, Lost: available})
}

// Topics is a node that has nothing but topics.
type Topics struct{ *Node }

// NewTopics returns a node at a bus.
func NewTopics(bus Bus) *Topics {
	return &Topics{&Node{topics: newTopicHub(bus, "parley", newNodeID())}}
}

// Close ends the node.
func (n *Topics) Close() { n.topics.close() }

// Held returns how many topics with subscribers, publishers and timers it has.
func (n *Topics) Held() (topics, publishers, timers int) {
	n.topics.mu.Lock()
	defer n.topics.mu.Unlock()
	if !n.topics.due.IsZero() {
		timers = 1
	}
	return len(n.topics.ephemerals) + len(n.topics.tails), len(n.topics.publishers), timers
}
