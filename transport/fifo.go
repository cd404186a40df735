package transport

// fifo is a first-in first-out queue in one slice. To take an item out costs
// the same however many are left: push reuses the space of items that were
// taken once they are at least half of all.
type fifo[T any] struct {
	items []T // the first head of them are taken
	head  int
}

func (q *fifo[T]) len() int { return len(q.items) - q.head }

// all returns the items in order. The slice is valid until the queue changes.
func (q *fifo[T]) all() []T { return q.items[q.head:] }

func (q *fifo[T]) push(items ...T) {
	if full := len(q.items)+len(items) > cap(q.items); full && 2*q.head >= len(q.items) {
		left := copy(q.items, q.items[q.head:])
		clear(q.items[left:])
		q.items, q.head = q.items[:left], 0
	}
	q.items = append(q.items, items...)
}

// pop takes the first item out. The queue must not be empty.
func (q *fifo[T]) pop() T {
	var none T
	item := q.items[q.head]
	q.items[q.head] = none
	if q.head++; q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	return item
}

// clear takes all items out.
func (q *fifo[T]) clear() {
	clear(q.items)
	q.items, q.head = q.items[:0], 0
}
