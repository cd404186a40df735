package pipe

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/parley-rpc/parley/transport"
)

// Close ends the link. The peer first reads what was written before, then it
// gets a *transport.CloseError with code and reason. The rules of a close frame
// apply: reason is cut to 123 bytes, and CloseNoStatus has none. With
// CloseAbnormal and CloseTLSHandshake there is no frame, and the link is lost
// for the peer. A code that must not be sent becomes CloseInternalError. Close
// never blocks.
func (e *End) Close(code transport.CloseCode, reason string) error {
	w := e.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	if !e.canSendClose() {
		return nil
	}
	e.put(packet{end: closeError(code, reason)})
	e.finish(ErrClosed)
	w.notify()
	return nil
}

// canSendClose reports whether this end can send a close frame: it is open, or
// it has stopped reading because the peer broke the rules. The caller holds
// wire.mu.
func (e *End) canSendClose() bool {
	if e.ended == nil {
		return true
	}
	var fault *transport.CloseError
	var broken *transport.FramingError
	return errors.As(e.ended, &fault) && !fault.Remote || errors.As(e.ended, &broken)
}

// closeError returns what the peer gets from an end that closes with code and
// reason.
func closeError(code transport.CloseCode, reason string) error {
	switch {
	case code == transport.CloseAbnormal, code == transport.CloseTLSHandshake:
		return ErrLost
	case code == transport.CloseNoStatus:
		reason = ""
	case !sendable(code):
		code = transport.CloseInternalError
	}
	return &transport.CloseError{Code: code, Reason: cutReason(reason), Remote: true}
}

// sendable reports whether a close frame may have the code (RFC 6455, section
// 7.4).
func sendable(code transport.CloseCode) bool {
	switch {
	case code >= transport.CloseNormal && code <= transport.CloseUnsupportedData,
		code >= transport.CloseInvalidPayload && code <= transport.CloseTryAgainLater,
		code >= 3000 && code <= 4999:
		return true
	}
	return false
}

// maxReason is how many bytes of reason fit into a close frame (RFC 6455,
// section 5.5).
const maxReason = 123

// cutReason cuts s to maxReason bytes, at the start of a rune, and makes it
// valid UTF-8, as a close frame must be.
func cutReason(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if len(s) <= maxReason {
		return s
	}
	n := maxReason
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
