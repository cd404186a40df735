package ws

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"github.com/parley-rpc/parley/transport"
)

// Close takes closeFrameWait + closeDrainWait at most. After closeCut it closes
// the socket whatever it is doing. closeAnswerWait is a part of closeDrainWait.
const (
	closeFrameWait  = 400 * time.Millisecond
	closeDrainWait  = 400 * time.Millisecond
	closeAnswerWait = 100 * time.Millisecond
	closeCut        = closeFrameWait + closeDrainWait + 50*time.Millisecond
)

// closeFlood is the code for a peer that floods: RESOURCE_EXHAUSTED.
const closeFlood = transport.CloseRefusal + 8

// Close ends the link within a second; the package documentation says how. With
// CloseAbnormal and CloseTLSHandshake, which no close frame may carry, it
// closes the connection without one. Other codes that may not be sent become
// CloseInternalError. An error means that the close frame could not be sent.
// Later calls wait for the first and return its result.
func (c *Conn) Close(code transport.CloseCode, reason string) error {
	c.closing.Do(func() { c.closeErr = c.close(code, reason) })
	return c.closeErr
}

func (c *Conn) close(code transport.CloseCode, reason string) error {
	conn := bottom(c.in.conn)
	cut := time.AfterFunc(closeCut, func() { _ = conn.Close() })
	defer cut.Stop()

	c.in.shut()
	sent, err := c.sendClose(code, reason)
	if sent && c.waitsForPeer() {
		limits := politeDrain
		if code == transport.CloseProtocolError || code == closeFlood {
			limits = strictDrain
		}
		c.in.drain(limits, c.closeWrite)
	}
	_ = conn.Close()
	c.pong.stop()
	c.pong.wait()
	return err
}

// sendClose sends the close frame, if code has one. If the peer closed first,
// the frame has the peer's code (RFC 6455, section 5.5.1).
func (c *Conn) sendClose(code transport.CloseCode, reason string) (sent bool, err error) {
	if got := c.peerClosed.Load(); got != 0 {
		code, reason = transport.CloseCode(got), ""
	}
	if code == transport.CloseAbnormal || code == transport.CloseTLSHandshake {
		return false, nil
	}
	frame := closeFrame(code, reason)
	err = c.ws.WriteControl(websocket.CloseMessage, frame, time.Now().Add(closeFrameWait))
	if err != nil && !errors.Is(err, websocket.ErrCloseSent) {
		return false, fmt.Errorf("ws: close frame not sent: %w", err)
	}
	return true, nil // ErrCloseSent: gorilla has sent one to a peer that broke the framing
}

// waitsForPeer reports whether the socket stays open until the peer closes its
// own. A server that has both sent and received a close frame closes first.
func (c *Conn) waitsForPeer() bool {
	return !c.server || c.peerClosed.Load() == 0
}

// closeWrite closes the sending half of the connection, of TLS, if there is
// TLS, and of TCP.
func (c *Conn) closeWrite() {
	type halfCloser interface{ CloseWrite() error }
	if conn, ok := c.in.conn.(halfCloser); ok {
		_ = conn.CloseWrite()
	}
	if under, ok := bottom(c.in.conn).(halfCloser); ok {
		_ = under.CloseWrite()
	}
}

// closeFrame returns the payload of a close frame. A code that must not be sent
// (RFC 6455, section 7.4) becomes CloseInternalError.
func closeFrame(code transport.CloseCode, reason string) []byte {
	if code != transport.CloseNoStatus && !sendable(code) {
		code = transport.CloseInternalError
	}
	return websocket.FormatCloseMessage(int(code), cutReason(reason))
}

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
