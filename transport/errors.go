package transport

import (
	"errors"
	"fmt"

	"github.com/parley-rpc/parley/internal/frame"
)

// ResetCode says why a stream was abandoned (PROTOCOL.md, section "RESET").
type ResetCode uint64

const (
	// ResetCancel: the peer's application no longer wants the stream.
	ResetCancel ResetCode = 1
	// ResetRefused: no application has acted on the stream; it is safe to retry.
	ResetRefused ResetCode = 2
	// ResetLimit: a header or a message was over a limit of its receiver.
	ResetLimit ResetCode = 3
	// ResetProtocol: the peer broke a rule of this stream.
	ResetProtocol ResetCode = 4
	// ResetInternal: the peer's application failed.
	ResetInternal ResetCode = 5
	// ResetApplication is the first of the codes whose meaning is up to the
	// application.
	ResetApplication ResetCode = 256
)

// MaxReason is how many bytes of the reason of a reset or GOAWAY reach the
// peer.
const MaxReason = 1024

// assigned returns c, or ResetInternal if c has no meaning.
func (c ResetCode) assigned() ResetCode {
	if c == 0 || c > ResetInternal && c < ResetApplication || c > frame.MaxVarint {
		return ResetInternal
	}
	return c
}

func (c ResetCode) String() string {
	switch c {
	case ResetCancel:
		return "cancel"
	case ResetRefused:
		return "refused"
	case ResetLimit:
		return "limit"
	case ResetProtocol:
		return "protocol"
	case ResetInternal:
		return "internal"
	}
	return fmt.Sprintf("code %d", uint64(c))
}

// ResetError says that a stream was abandoned before both directions had ended.
type ResetError struct {
	Code   ResetCode
	Reason string
	Remote bool // by the peer
}

func (e *ResetError) Error() string {
	who := "stream reset"
	if e.Remote {
		who = "stream reset by the peer"
	}
	if e.Reason == "" {
		return fmt.Sprintf("%s (%s)", who, e.Code)
	}
	return fmt.Sprintf("%s (%s): %s", who, e.Code, e.Reason)
}

// LimitError says that a message or a header is larger than the peer accepts.
// Nothing of it was sent.
type LimitError struct {
	What  string // "message" or "header"
	Size  int    // bytes
	Limit uint64 // bytes; the peer's setting
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%s of %d bytes exceeds the peer's limit of %d", e.What, e.Size, e.Limit)
}

var (
	// ErrDraining is returned by Open when this end opens no more streams: the
	// peer has refused further ones (CanOpen), or this end has stopped opening
	// streams or is about to close the session. The stream was not sent; a new
	// session may serve it.
	ErrDraining = errors.New("transport: session is draining: open the stream on another one")
	// ErrStreamClosed is returned for a stream after its Close, and by Send
	// after the end of the direction: CloseSend, or SendOptions.End.
	ErrStreamClosed = errors.New("transport: stream closed at this end")
	// ErrConcurrent is returned by Send while another Send on the same stream
	// is in progress, and by Recv while another Recv is.
	ErrConcurrent = errors.New("transport: concurrent use of one direction of a stream")
	// ErrPartialMessage is returned by Send and CloseSend after a Send that
	// stopped in the middle of its message.
	ErrPartialMessage = errors.New("transport: a message is incomplete: reset the stream")
	// ErrSessionUnknown is returned by Resume if the peer no longer has the
	// session. It has ended.
	ErrSessionUnknown = errors.New("transport: the peer does not know the session")

	errDetached       = errors.New("transport: the link is lost")
	errUnacknowledged = errors.New("transport: the peer does not keep up: it does not acknowledge what it receives")
	errFlood          = errors.New("transport: the peer does not keep up: it does not read the responses to its frames")
)

// protocolError returns the end of a session whose rules the peer has broken.
func protocolError(code CloseCode, format string, args ...any) *CloseError {
	return &CloseError{Code: code, Reason: fmt.Sprintf(format, args...)}
}

// isOverflow reports whether err says that the peer has made the outbox too
// large.
func isOverflow(err error) bool {
	return errors.Is(err, errFlood) || errors.Is(err, errUnacknowledged)
}

func isReset(err error) bool {
	var r *ResetError
	return errors.As(err, &r)
}

func messageLimit(limit int) *ResetError {
	return &ResetError{Code: ResetLimit, Reason: fmt.Sprintf("message exceeds the limit of %d bytes", limit)}
}
