package cluster

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// A relayed link is a bidirectional stream between two nodes. Its first message
// is a RelayStart, and then each message is one of the link. A close of the
// client is an empty message, and then one with the close code (2 bytes,
// big-endian) and the reason; a message of a link is never empty. A close of the
// serving node is the end of the stream, with the code and the reason in the
// trailer. Any other end of the stream means that the link is lost.
const (
	codeTrailer   = "close-code"
	reasonTrailer = "close-reason-bin"
)

// relayedLink is the link of a session whose client is connected to another
// node, at the node that serves it.
type relayedLink struct {
	stream rpc.Stream
	buf    rpc.Raw // the message that was received last

	closing sync.Once
	closed  chan struct{}
	code    transport.CloseCode // set before closed is closed
	reason  string
}

func newRelayedLink(stream rpc.Stream) *relayedLink {
	return &relayedLink{stream: stream, closed: make(chan struct{})}
}

// NextReader implements transport.Link.
func (l *relayedLink) NextReader() (io.Reader, error) {
	if err := l.stream.Recv(&l.buf); err != nil {
		return nil, lostRelay(err)
	}
	if len(l.buf) > 0 {
		return bytes.NewReader(l.buf), nil
	}
	if err := l.stream.Recv(&l.buf); err != nil {
		return nil, lostRelay(err)
	}
	return nil, decodeClose(l.buf)
}

// lostRelay returns the error of a link that is lost. The end of the stream says
// nothing of the client.
func lostRelay(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// WriteMessage implements transport.Link.
func (l *relayedLink) WriteMessage(parts [][]byte) error {
	msg := rpc.Raw(parts[0])
	if len(parts) > 1 {
		msg = bytes.Join(parts, nil)
	}
	return l.stream.Send(&msg)
}

// Close implements transport.Link. The handler of the stream returns then,
// which unblocks the other methods.
func (l *relayedLink) Close(code transport.CloseCode, reason string) error {
	l.closing.Do(func() {
		l.code, l.reason = code, reason
		close(l.closed)
	})
	return nil
}

// status returns how the stream ends after Close.
func (l *relayedLink) status() error {
	if l.code == transport.CloseAbnormal {
		return rpc.Errorf(rpc.CodeUnavailable, "the link is lost")
	}
	call := l.stream.Call()
	return errors.Join(
		call.SetTrailer(codeTrailer, strconv.Itoa(int(l.code))),
		call.SetTrailer(reasonTrailer, l.reason),
	)
}

// closeOfTrailer returns how the serving node has closed the link, or nil if it
// is lost. err is the end of the stream.
func closeOfTrailer(stream rpc.Stream, err error) *transport.CloseError {
	if err != io.EOF { //nolint:errorlint // io.EOF itself means the status OK
		return nil
	}
	trailer := stream.Call().Trailer()
	code, err := strconv.Atoi(trailer.Get(codeTrailer))
	if err != nil || !sendable(code) {
		return nil
	}
	return &transport.CloseError{Code: transport.CloseCode(code), Reason: closeReason(trailer.Get(reasonTrailer))}
}

// appendClose appends how the client has closed the link.
func appendClose(b []byte, closed *transport.CloseError) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(closed.Code)) //nolint:gosec // which it was
	return append(b, closed.Reason...)
}

// decodeClose returns how the client has closed the link.
func decodeClose(b []byte) error {
	if len(b) < 2 {
		return io.ErrUnexpectedEOF
	}
	return &transport.CloseError{
		Code:   transport.CloseCode(binary.BigEndian.Uint16(b)),
		Reason: closeReason(string(b[2:])),
		Remote: true,
	}
}

// sendable reports whether a close frame may have a code (RFC 6455, section
// 7.4).
func sendable(code int) bool {
	switch transport.CloseCode(code) {
	case transport.CloseNoStatus, transport.CloseAbnormal, transport.CloseTLSHandshake, 1004:
		return false
	}
	return code >= 1000 && code < 5000
}

// closeReason returns a reason that fits a close frame (RFC 6455, section
// 5.5.1).
func closeReason(s string) string {
	const most = 123
	if !utf8.ValidString(s) || len(s) > most {
		return ""
	}
	return s
}
