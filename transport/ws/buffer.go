package ws

import "sync"

// The sizes of buffers in bytes. docs: the figures behind them are in the
// package comment.
const (
	// readBufferSize is what an idle connection keeps. It holds the head of a
	// message; what is larger is read past it into the caller's buffer.
	readBufferSize = 1 << 10

	// serverBufferSize holds a batch of a session, 64 KiB, with urgent frames
	// before it, so that it is one frame and one write.
	serverBufferSize = 68 << 10

	// clientBufferSize is the largest fragment that a client sends: it masks what
	// it writes, and so has to copy all of it.
	clientBufferSize = 256 << 10
)

// A connection holds a write buffer only while it writes.
var serverBuffers, clientBuffers sync.Pool
