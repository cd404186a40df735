package target

import (
	"encoding/binary"
	"errors"
	"math"
	"runtime"
	"sync"

	"github.com/gorilla/websocket"
	"google.golang.org/protobuf/proto"
)

// frame is a message of a call. Its body is valid until the next batch is read.
type frame struct {
	kind frameKind
	id   uint32
	body []byte
}

type frameKind uint8

// The client opens calls and cancels them, and both ends send messages. The
// client's frameEnd is the end of its messages. The server's ends the call; its
// body is the response if there is one.
const (
	frameEcho frameKind = iota
	frameDownload
	frameUpload
	frameTalk
	frameMessage
	frameEnd
	frameCancel

	frameKinds = 8 // a power of 2
)

// errFrames is the error of a peer that breaks the format.
var errFrames = errors.New("frames: malformed")

// appendFrame appends a frame: the length of its body, id and kind, the body.
// A nil message has an empty body.
func appendFrame(b []byte, id uint32, kind frameKind, m proto.Message) ([]byte, error) {
	size := 0
	if m != nil {
		size = proto.Size(m)
	}
	b = binary.AppendUvarint(b, uint64(size))
	b = binary.AppendUvarint(b, uint64(id)*frameKinds+uint64(kind))
	if m == nil {
		return b, nil
	}
	return proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(b, m)
}

// parseFrames appends the frames of b to batch.
func parseFrames(batch []frame, b []byte) ([]frame, error) {
	for len(b) > 0 {
		size, n := binary.Uvarint(b)
		if n <= 0 {
			return batch, errFrames
		}
		head, m := binary.Uvarint(b[n:])
		if m <= 0 || head/frameKinds > math.MaxUint32 || size > uint64(len(b)-n-m) {
			return batch, errFrames
		}
		b = b[n+m:]
		batch = append(batch, frame{kind: frameKind(head % frameKinds), id: uint32(head / frameKinds), body: b[:size]})
		b = b[size:]
	}
	return batch, nil
}

// framesLimit is how many bytes may be pending before senders wait.
const framesLimit = 64 << 10

// framesInline is how many batches in a row a sender writes.
const framesInline = 8

// framesConn is one end of a connection. Senders append to what is pending. One
// goroutine at a time writes that until nothing is pending: a sender, or one
// that exists only for that time.
type framesConn struct {
	ws  *websocket.Conn
	msg gorillaConn // the reader's

	mu      sync.Mutex
	room    sync.Cond // on mu: less is pending, or err is set
	waiting int       // senders
	pending []byte
	spare   []byte // the memory of the last batch
	writing bool   // a goroutine writes what is pending
	err     error  // why the connection has ended
	writers sync.WaitGroup
}

func newFramesConn(ws *websocket.Conn) *framesConn {
	c := &framesConn{ws: ws, msg: gorillaConn{ws: ws}}
	c.room.L = &c.mu
	return c
}

// receive calls handle with each batch, until it or the connection fails.
func (c *framesConn) receive(handle func(batch []frame) error) error {
	var batch []frame
	for {
		_, msg, err := c.msg.receive()
		if err != nil {
			return err
		}
		if batch, err = parseFrames(batch[:0], msg); err != nil {
			return err
		}
		if err := handle(batch); err != nil {
			return err
		}
	}
}

// send sends a frame for which the peer waits: it writes unless another
// goroutine does.
func (c *framesConn) send(id uint32, kind frameKind, m proto.Message) error {
	c.mu.Lock()
	err := c.append(id, kind, m)
	c.flush()
	return err
}

// post sends a frame that others will follow: another goroutine writes.
func (c *framesConn) post(id uint32, kind frameKind, m proto.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.append(id, kind, m)
	if !c.writing && c.more() {
		c.writers.Go(c.writeAll)
	}
	return err
}

// append makes a frame pending. The caller holds mu.
func (c *framesConn) append(id uint32, kind frameKind, m proto.Message) (err error) {
	if err = c.reserve(); err == nil {
		c.pending, err = appendFrame(c.pending, id, kind, m)
	}
	return err
}

// sendEncoded sends frames, and returns memory for others.
func (c *framesConn) sendEncoded(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return b, nil
	}
	c.mu.Lock()
	err := c.reserve()
	switch {
	case err != nil:
	case len(c.pending) == 0:
		c.pending, b = b, c.pending
	default:
		c.pending = append(c.pending, b...)
	}
	c.flush()
	return b, err
}

// reserve waits until a frame may be appended. The caller holds mu.
func (c *framesConn) reserve() error {
	for len(c.pending) >= framesLimit && c.err == nil {
		c.waiting++
		c.room.Wait()
		c.waiting--
	}
	return c.err
}

// flush writes what is pending, unless another goroutine does. The caller holds
// mu, and flush unlocks it.
func (c *framesConn) flush() {
	defer c.mu.Unlock()
	if c.writing {
		return
	}
	for range framesInline {
		if !c.more() {
			return
		}
		c.write()
	}
	if c.more() {
		c.writers.Go(c.writeAll)
	}
}

// writeAll writes until nothing is pending.
func (c *framesConn) writeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.more() {
		c.write()
	}
}

// more reports whether something is to be written, which the caller then does.
// The caller holds mu, and is the one that writes if anyone is.
func (c *framesConn) more() bool {
	c.writing = len(c.pending) > 0 && c.err == nil
	return c.writing
}

// write writes a batch. The caller holds mu, which is unlocked meanwhile.
func (c *framesConn) write() {
	if len(c.pending) < framesLimit {
		c.mu.Unlock()
		runtime.Gosched() // others may add to the batch
		c.mu.Lock()
	}
	batch := c.pending
	c.pending, c.spare = c.spare[:0], nil
	if c.waiting > 0 {
		c.room.Broadcast()
	}
	c.mu.Unlock()
	err := c.ws.WriteMessage(websocket.BinaryMessage, batch)
	c.mu.Lock()
	c.spare = batch
	if err != nil {
		c.end(err)
	}
}

// fail ends the connection.
func (c *framesConn) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end(err)
}

// end is fail for callers that hold mu.
func (c *framesConn) end(err error) {
	if c.err != nil {
		return
	}
	c.err = err
	_ = c.ws.Close() // the reader ends with it
	c.room.Broadcast()
}
