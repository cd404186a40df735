package ws

import "sync"

// The sizes of buffers in bytes; docs/design/transport.md has the measurements.
const (
	// readBufferSize is the size of gorilla's read buffer, which an idle
	// connection keeps. It holds the head of a message; more is read past it
	// into the caller's buffer.
	readBufferSize = 512

	// aheadSize and lookAhead replace it where this package waits for a TCP
	// connection to be readable: for the first bytes, and for the smallest
	// buffer that gorilla reads through.
	aheadSize = 256
	lookAhead = 257

	// writeBufferSize holds the largest batch of a session, so that a batch is
	// one WebSocket frame and one write.
	writeBufferSize = 68 << 10
)

// writeBuffers is shared by all connections: a connection holds a buffer only
// while it writes.
var writeBuffers sync.Pool
