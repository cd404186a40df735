package transport

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Side says which end of a link a session is.
type Side int

const (
	// Dialer is the end that made the connection. Its streams have odd ids.
	Dialer Side = iota
	// Acceptor is the end that was connected to. Its streams have even ids.
	Acceptor
)

func (s Side) String() string {
	if s == Dialer {
		return "dialer"
	}
	return "acceptor"
}

// Link is one message connection, such as a WebSocket (package ws) or an
// in-memory pipe (package pipe). A session may outlive its link.
type Link interface {
	// NextReader waits for the next message and returns a reader of its bytes,
	// which is valid until the next call. Only one goroutine reads a link.
	//
	// A *CloseError says that the peer has closed the link (Remote), or that it
	// has broken the link's own rules and with which code to close the link.
	// Any other error means that the link is lost. After a *FramingError the
	// link is closed with CloseProtocolError then. The reader's Read returns
	// the same errors.
	NextReader() (io.Reader, error)

	// WriteMessage writes one message, the concatenation of parts, and keeps
	// none of them. Only one goroutine writes to a link.
	WriteMessage(parts [][]byte) error

	// Close sends code and reason to the peer, if that is possible without a
	// long wait, and ends the link. It unblocks NextReader and WriteMessage.
	// Any goroutine may call it, and more than once; the first call decides
	// what the peer receives.
	Close(code CloseCode, reason string) error
}

// AwaitableLink is a Link that tells when a message is there. On such a link, a
// goroutine that waits for the only answer may read it itself. A Link that wraps
// another one may have a method Unwrap() Link for that.
//
// The goroutine that reads the link calls CanAwait and AwaitMessage. Another
// goroutine may be the one that reads from call to call.
type AwaitableLink interface {
	Link

	// CanAwait reports whether AwaitMessage can wait: the link is not closed or
	// lost, and all that was read from below it has been returned by readers.
	CanAwait() bool

	// AwaitMessage waits for something to read, and reports whether a whole
	// message is there, so that NextReader and its reader do not wait. If it
	// reports false, NextReader is to be called without it: the link may have
	// ended, or what has arrived is no whole message. It also reports false at
	// the deadline, unless that is zero, after Interrupt, and at once while
	// CanAwait is false and no whole message is there. It loses nothing.
	AwaitMessage(deadline time.Time) bool

	// Interrupt ends the AwaitMessage in progress, or the next one. Any
	// goroutine may call it. It does not block.
	Interrupt()
}

// CloseCode is a WebSocket close code (RFC 6455, section 7.4).
type CloseCode int

// The close codes of RFC 6455, section 7.4.1, and its registry. PROTOCOL.md,
// section "Close codes", says when each is sent.
const (
	CloseNormal             CloseCode = 1000
	CloseGoingAway          CloseCode = 1001
	CloseProtocolError      CloseCode = 1002
	CloseUnsupportedData    CloseCode = 1003
	CloseNoStatus           CloseCode = 1005
	CloseAbnormal           CloseCode = 1006
	CloseInvalidPayload     CloseCode = 1007
	ClosePolicyViolation    CloseCode = 1008
	CloseMessageTooBig      CloseCode = 1009
	CloseMandatoryExtension CloseCode = 1010
	CloseInternalError      CloseCode = 1011
	CloseServiceRestart     CloseCode = 1012
	CloseTryAgainLater      CloseCode = 1013
	CloseTLSHandshake       CloseCode = 1015

	// CloseRefusal is the first of the codes 4000+n, which refuse or end a
	// connection with status n, where a script in a browser can read it.
	CloseRefusal CloseCode = 4000
	// CloseScripted is the first of the codes 4100+m, which scripts send for
	// 1000+m: a browser does not let them send that code.
	CloseScripted CloseCode = 4100
)

// Statuses in CloseRefusal+n and in GOAWAY.
const (
	refusalExhausted   = 8  // RESOURCE_EXHAUSTED
	refusalAborted     = 10 // ABORTED
	refusalUnavailable = 14 // UNAVAILABLE
)

// noLink is the link of a session that has none.
type noLink struct{}

func (noLink) NextReader() (io.Reader, error) { return nil, errDetached }
func (noLink) WriteMessage([][]byte) error    { return errDetached }
func (noLink) Close(CloseCode, string) error  { return nil }

// CloseError says with which code a link was closed, or is to be closed.
type CloseError struct {
	Code   CloseCode
	Reason string // UTF-8, at most 123 bytes
	Remote bool   // the peer closed the link; otherwise this end closes it
	Err    error  // the cause, if any, such as an error of the network
}

// FramingError says that the bytes of a link are not what its kind of link
// carries, such as a WebSocket frame with a reserved bit. No peer sends that: a
// proxy has damaged the link, or has inserted something. So the link is closed
// with CloseProtocolError, but for the session it is lost.
type FramingError struct {
	Reason string // UTF-8, at most 123 bytes
}

func (e *FramingError) Error() string { return "broken framing: " + e.Reason }

// onWire returns with which code and reason to close a link that has ended with
// e.
func (e *CloseError) onWire() (CloseCode, string) {
	var broken *FramingError
	if errors.As(e.Err, &broken) {
		return CloseProtocolError, broken.Reason
	}
	if e == errReplaced {
		e = errSuperseded
	}
	return e.Code, e.Reason
}

// goesAway reports whether an end that goes away, or restarts, closes with e.
func (e *CloseError) goesAway() bool {
	return e.Code == CloseGoingAway || e.Code == CloseServiceRestart
}

// normalized returns e with the code that its code stands for (PROTOCOL.md,
// section "Close codes").
func (e *CloseError) normalized() *CloseError {
	n := *e
	switch {
	case e.Code == CloseRefusal:
		n.Code = CloseNormal
	case e.Code > CloseScripted && e.Code <= CloseScripted+15:
		n.Code = CloseNormal + (e.Code - CloseScripted)
	}
	return &n
}

// Unwrap returns the cause.
func (e *CloseError) Unwrap() error { return e.Err }

func (e *CloseError) Error() string {
	var parts []string
	switch {
	case e.Remote:
		parts = append(parts, fmt.Sprintf("closed by the peer with code %d", e.Code))
	case e.Code != CloseAbnormal:
		parts = append(parts, fmt.Sprintf("closed with code %d", e.Code))
	case e.Reason == "" && e.Err == nil:
		return "link lost"
	}
	if e.Reason != "" {
		parts = append(parts, e.Reason)
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	return strings.Join(parts, ": ")
}
