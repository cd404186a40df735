package ws

import (
	"fmt"
	"io"
	"net"
)

// errClosed is returned by a Conn after its Close.
var errClosed = fmt.Errorf("ws: %w", net.ErrClosed)

// errNoCloseFrame is what RFC 6455 calls 1006: the peer's socket was closed, or
// its network was lost, before it sent a close frame.
var errNoCloseFrame = fmt.Errorf("the peer closed the connection without a close frame (1006): %w", io.ErrUnexpectedEOF)

// lostError says why a link was lost. It hides that a network error may be
// temporary, because gorilla would replace such an error.
type lostError struct{ err error }

func (e *lostError) Error() string { return "ws: link lost: " + e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }
