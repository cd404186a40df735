package transport

import "github.com/parley-rpc/parley/internal/frame"

// readBatch holds the pieces that a Recv has taken from the inbox at once, so
// that it gets many small messages without the lock. Only the Recv in progress
// uses it.
type readBatch struct {
	inbox
	borrowed *chunk // all of whose pieces were borrowed; nil: there is none
	cost     uint64 // of what was received and the window does not know yet
	maxCost  uint64 // how much that may be
}

// takeOver moves the content of an inbox to the batch, and reports whether
// there was any.
func (b *readBatch) takeOver(from *inbox) bool {
	if from.empty() {
		return false
	}
	b.init()
	b.queue.chunks.push(from.queue.chunks.all()...)
	from.queue.chunks.clear()
	return true
}

// nextMessage returns the next message, if it has one piece and the window can
// wait for its cost. The message is borrowed. The batch must not be empty.
func (b *readBatch) nextMessage() (m Message, ok bool) {
	flags, size := b.next()
	cost := b.cost + uint64(size) + frameCost
	if cost > b.maxCost || flags&frame.FlagMore != 0 {
		return Message{}, false
	}
	b.cost = cost
	return Message{
		Bytes: b.borrow(),
		Mark:  flags&frame.FlagMark != 0,
		Last:  flags&frame.FlagEnd != 0,
	}, true
}

// borrow returns the first piece, which is valid until returnBorrowed. The
// batch must not be empty, and nothing may be borrowed.
func (b *readBatch) borrow() []byte {
	c := b.queue.front()
	_, size := b.next()
	piece := c.buf[c.taken+recordHeader:][:size:size]
	if c.taken += recordHeader + size; c.taken == len(c.buf) {
		b.queue.chunks.pop()
		b.borrowed = c
	}
	return piece
}

// returnBorrowed ends the use of the borrowed piece.
func (b *readBatch) returnBorrowed() {
	if b.borrowed != nil {
		b.borrowed.free()
		b.borrowed = nil
	}
}

func (b *readBatch) clear() {
	b.returnBorrowed()
	b.inbox.clear()
}
