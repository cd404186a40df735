package cluster

import "sync"

// notifier hands events to a function in the order in which they are added,
// without a goroutine of its own: whichever goroutine adds one delivers, unless
// another one is at it.
type notifier[E any] struct {
	receive func(E) // must not block

	mu         sync.Mutex // taken last: nothing is locked while it is held
	queue      []E
	delivering bool
}

// add queues events. It may be called with locks held.
func (n *notifier[E]) add(events ...E) {
	n.mu.Lock()
	n.queue = append(n.queue, events...)
	n.mu.Unlock()
}

// deliver calls receive for what is queued. No lock may be held.
func (n *notifier[E]) deliver() {
	n.mu.Lock()
	if n.delivering {
		n.mu.Unlock()
		return
	}
	n.delivering = true
	for len(n.queue) > 0 {
		events := n.queue
		n.queue = nil
		n.mu.Unlock()
		for _, e := range events {
			n.receive(e)
		}
		n.mu.Lock()
	}
	n.delivering = false
	n.mu.Unlock()
}
