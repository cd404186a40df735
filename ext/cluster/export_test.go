package cluster

// SetAvailable cuts the bus, and repairs it.
func (b *MemoryBus) SetAvailable(available bool) { b.change(BusChange{available, available}) }

// Topics is a node that has nothing but topics.
type Topics struct{ hub *topicHub }

// NewTopics returns a node at a bus.
func NewTopics(bus Bus) *Topics { return &Topics{newTopicHub(bus, "parley", newNodeID())} }

func (n *Topics) topicHub() *topicHub { return n.hub }

// Close ends the node.
func (n *Topics) Close() { n.hub.close() }

// Held returns how many topics with subscribers, publishers and timers it has.
func (n *Topics) Held() (topics, publishers, timers int) {
	n.hub.mu.Lock()
	defer n.hub.mu.Unlock()
	if !n.hub.due.IsZero() {
		timers = 1
	}
	return len(n.hub.ephemerals) + len(n.hub.tails), len(n.hub.publishers), timers
}
