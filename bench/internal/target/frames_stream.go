package target

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"
)

// framesStream is one end of a stream.
type framesStream struct {
	conn     *framesConn
	id       uint32
	inbox    *framesInbox
	canceled atomic.Bool
}

// newFramesStream returns a stream that receives messages of empty's type.
func newFramesStream(c *framesConn, id uint32, empty func() proto.Message) *framesStream {
	s := &framesStream{conn: c, id: id, inbox: &framesInbox{empty: empty}}
	s.inbox.arrived.L, s.inbox.room.L = &s.inbox.mu, &s.inbox.mu
	return s
}

// empty returns a new T.
func empty[T any, M interface {
	*T
	proto.Message
}]() proto.Message {
	return M(new(T))
}

// send sends a message for which the peer waits.
func (s *framesStream) send(m proto.Message) error {
	if s.canceled.Load() {
		return context.Canceled
	}
	return s.conn.send(s.id, frameMessage, m)
}

// post sends a message that others will follow.
func (s *framesStream) post(m proto.Message) error {
	if s.canceled.Load() {
		return context.Canceled
	}
	return s.conn.post(s.id, frameMessage, m)
}

// cancel ends the stream here: a receiver gets err.
func (s *framesStream) cancel(err error) {
	s.canceled.Store(true)
	s.inbox.close(err)
}

// receiver returns a function that receives messages of a type.
func receiver[M proto.Message](s *framesStream) func() (M, error) {
	return func() (M, error) { return receive[M](s) }
}

func receive[M proto.Message](s *framesStream) (m M, err error) {
	next, err := s.inbox.next()
	if err != nil {
		return m, err
	}
	return next.(M), nil
}

// framesPatience is how long a reader waits for room in an inbox.
const framesPatience = time.Millisecond

// framesInbox is the messages of a stream that have arrived. It is bounded while
// they are received: the connection's reader waits when it is full. If they are
// not received, the reader goes on after framesPatience, since a receiver of
// another stream may wait for what is next.
type framesInbox struct {
	empty func() proto.Message // returns a message to decode into

	mu       sync.Mutex
	arrived  sync.Cond // on mu: there are messages, or err is set
	room     sync.Cond // on mu: messages is empty, or idle or err is set
	messages []proto.Message
	size     int   // encoded bytes of messages
	err      error // what the receiver gets after messages
	idle     bool  // the reader has waited without success since the last take

	// The receiver's, without the lock: what it has taken all at once.
	taken []proto.Message
	read  int // how many of taken it has returned
}

// decode decodes a message and adds it. It waits for room.
func (i *framesInbox) decode(body []byte) error {
	m := i.empty()
	if err := proto.Unmarshal(body, m); err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.size >= framesLimit && !i.idle {
		i.wait()
	}
	if i.err != nil {
		return nil // the stream has ended
	}
	i.size += len(body)
	i.messages = append(i.messages, m)
	if len(i.messages) == 1 {
		i.arrived.Signal()
	}
	return nil
}

// wait waits for room, but only for framesPatience. The caller holds mu.
func (i *framesInbox) wait() {
	timer := time.AfterFunc(framesPatience, func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.idle = true
		i.room.Signal()
	})
	defer timer.Stop()
	for i.size >= framesLimit && i.err == nil && !i.idle {
		i.room.Wait()
	}
}

// next returns the next message, or the error after the last one. One goroutine
// may call it at a time.
func (i *framesInbox) next() (proto.Message, error) {
	if i.read == len(i.taken) {
		if err := i.take(); err != nil {
			return nil, err
		}
	}
	m := i.taken[i.read]
	i.taken[i.read] = nil
	i.read++
	return m, nil
}

// take takes all messages that have arrived, and waits for the first.
func (i *framesInbox) take() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	for len(i.messages) == 0 {
		if i.err != nil {
			return i.err
		}
		i.arrived.Wait()
	}
	i.taken, i.messages = i.messages, i.taken[:0]
	i.read, i.size, i.idle = 0, 0, false
	i.room.Signal()
	return nil
}

// end has the receiver get io.EOF after the messages that have arrived.
func (i *framesInbox) end() { i.finish(io.EOF) }

// close has the receiver get err, and drops what has arrived.
func (i *framesInbox) close(err error) {
	i.mu.Lock()
	i.messages = nil
	i.mu.Unlock()
	i.finish(err)
}

func (i *framesInbox) finish(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.err == nil {
		i.err = err
	}
	i.arrived.Signal()
	i.room.Signal()
}
