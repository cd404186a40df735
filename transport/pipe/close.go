package pipe

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/parley-rpc/parley/transport"
)

// Close ends the link. The peer first reads what was written before, then a
// *transport.CloseError with code and reason, under the rules of a close frame:
// reason is cut to 123 bytes, CloseNoStatus has none, with CloseAbnormal and
// CloseTLSHandshake there is no frame and the peer finds the link lost, and a
// code that must not be sent becomes CloseInternalError. It never blocks.
func (e *End) Close(code transport.CloseCode, reason string) error {
	w := e.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	if !e.canTell() {
		return nil
	}
	e.put(parcel{end: farewell(code, reason)})
	e.finish(ErrClosed)
	w.notify()
	return nil
}

// canTell tells whether the peer waits to hear how the link ends: it does while
// this end lives, and when this end has stopped because it found fault with the
// peer. The caller holds wire.mu.
func (e *End) canTell() bool {
	if e.ended == nil {
		return true
	}
	var fault *transport.CloseError
	var broken *transport.FramingError
	return errors.As(e.ended, &fault) && !fault.Remote || errors.As(e.ended, &broken)
}

// farewell is what the peer of an end closed with code and reason sees.
func farewell(code transport.CloseCode, reason string) error {
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

// sendable tells whether code may stand in a close frame (RFC 6455, section 7.4).
func sendable(code transport.CloseCode) bool {
	switch {
	case code >= transport.CloseNormal && code <= transport.CloseUnsupportedData,
		code >= transport.CloseInvalidPayload && code <= transport.CloseTryAgainLater,
		code >= 3000 && code <= 4999:
		return true
	}
	return false
}

// maxReason is how many bytes a control frame leaves for the reason of a close
// (RFC 6455, section 5.5).
const maxReason = 123

// cutReason cuts s to maxReason bytes, at the start of a rune, and makes it the
// UTF-8 that a close frame has to carry.
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
