package target

import (
	"context"
	"sync"

	"google.golang.org/protobuf/proto"
)

// framesClient is the client's end of a connection.
type framesClient struct {
	*framesConn
	reading sync.WaitGroup

	// Guarded by mu.
	calls []*framesCall // by id; nil if it is free, or its caller has left
	free  []uint32      // ids
}

// framesCall is a call that waits for its end. A unary one has a response, and a
// stream has an inbox.
type framesCall struct {
	inbox    *framesInbox
	response proto.Message
	done     chan error // of one result
}

var framesCalls = sync.Pool{New: func() any { return &framesCall{done: make(chan error, 1)} }}

// add gives a call an id. The id is free again when the server has ended the
// call. The caller holds mu.
func (c *framesClient) add(call *framesCall) uint32 {
	if n := len(c.free); n > 0 {
		id := c.free[n-1]
		c.free = c.free[:n-1]
		c.calls[id] = call
		return id
	}
	c.calls = append(c.calls, call)
	return uint32(len(c.calls) - 1)
}

// start sends the first frame of a call.
func (c *framesClient) start(call *framesCall, kind frameKind, req proto.Message) (id uint32, err error) {
	c.mu.Lock()
	if err = c.reserve(); err == nil {
		id = c.add(call)
		c.pending, err = appendFrame(c.pending, id, kind, req)
	}
	c.flush()
	return id, err
}

// call makes a unary call.
func (c *framesClient) call(ctx context.Context, req, res proto.Message) error {
	call := framesCalls.Get().(*framesCall)
	call.response = res
	id, err := c.start(call, frameEcho, req)
	if err != nil {
		return err
	}
	select {
	case err := <-call.done:
		call.response = nil
		framesCalls.Put(call)
		return err
	case <-ctx.Done():
		c.leave(id, call)
		return context.Cause(ctx)
	}
}

// leave removes a call whose id is not yet free.
func (c *framesClient) leave(id uint32, call *framesCall) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls[id] == call {
		c.calls[id] = nil
	}
}

// open opens a stream that receives messages of empty's type. It lasts until
// the end of ctx at the longest.
func (c *framesClient) open(ctx context.Context, kind frameKind, req proto.Message, empty func() proto.Message) (*framesStream, error) {
	s := newFramesStream(c.framesConn, 0, empty)
	call := &framesCall{inbox: s.inbox}
	var err error
	if s.id, err = c.start(call, kind, req); err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() {
		s.cancel(context.Cause(ctx))
		c.cancel(s.id, call)
	})
	return s, nil
}

// cancel tells the server that a stream is canceled, unless it has ended.
func (c *framesClient) cancel(id uint32, call *framesCall) {
	c.mu.Lock()
	if c.calls[id] == call && c.err == nil {
		c.pending, _ = appendFrame(c.pending, id, frameCancel, nil) // without a message it cannot fail
	}
	c.flush()
}

// read reads responses until the connection ends.
func (c *framesClient) read() {
	var found []*framesCall // of the frames of a batch
	err := c.receive(func(batch []frame) (err error) {
		if found, err = c.find(found[:0], batch); err != nil {
			return err
		}
		for i, call := range found {
			if call != nil {
				call.handle(batch[i])
			}
		}
		return nil
	})
	c.fail(err)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, call := range c.calls {
		switch {
		case call == nil:
		case call.inbox != nil:
			call.inbox.close(err)
		default:
			call.done <- err
		}
	}
}

// find appends the calls of a batch to found, and frees the ids of those that
// end with it.
func (c *framesClient) find(found []*framesCall, batch []frame) ([]*framesCall, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range batch {
		if int(f.id) >= len(c.calls) {
			return found, errFrames
		}
		found = append(found, c.calls[f.id])
		if f.kind == frameEnd {
			c.calls[f.id] = nil
			c.free = append(c.free, f.id)
		}
	}
	return found, nil
}

// handle handles a response. What cannot be decoded ends the call.
func (call *framesCall) handle(f frame) {
	switch {
	case call.inbox == nil:
		call.done <- proto.Unmarshal(f.body, call.response)
	case f.kind == frameEnd:
		call.inbox.end()
	default:
		if err := call.inbox.decode(f.body); err != nil {
			call.inbox.close(err)
		}
	}
}
