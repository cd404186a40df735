package ws

import "sync"

// The sizes of buffers in bytes; the figures behind them are in the package
// comment.
const (
	// readBufferSize is what an idle connection keeps that is read through gorilla's
	// own buffer. It holds the head of a message; what is larger is read past it into
	// the caller's buffer.
	readBufferSize = 512

	// aheadSize and lookAhead are that where a TCP connection is waited for: for what
	// comes first, and the least buffer that gorilla reads through.
	aheadSize = 256
	lookAhead = 257

	// writeBufferSize holds a batch of a session, 64 KiB, with urgent frames
	// before it, so that it is one frame and one write.
	writeBufferSize = 68 << 10
)

// writeBuffers are shared by all connections: one holds a buffer only while it
// writes.
var writeBuffers sync.Pool
