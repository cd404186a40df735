package frame

import (
	"strings"
	"unicode/utf8"
)

// PingLen is the length in bytes of the opaque payload of PING and PONG.
const PingLen = 8

// MaxReasonLen is the most bytes of text that RESET and GOAWAY carry.
const MaxReasonLen = 1024

// AppendWindow appends a WINDOW frame: limit is how much the sender of the
// stream's data may spend in all.
func AppendWindow(dst []byte, stream, limit uint64) []byte {
	return appendVarintFrame(dst, Header{Type: TypeWindow, Stream: stream}, limit)
}

// ParseWindow reads the payload of a WINDOW frame.
func ParseWindow(p []byte) (limit uint64, err error) { return parseWholeVarint(p) }

// AppendAck appends an ACK frame: received is how many sequenced frames have
// arrived.
func AppendAck(dst []byte, received uint64) []byte {
	return appendVarintFrame(dst, Header{Type: TypeAck}, received)
}

// ParseAck reads the payload of an ACK frame.
func ParseAck(p []byte) (received uint64, err error) { return parseWholeVarint(p) }

func appendVarintFrame(dst []byte, h Header, v uint64) []byte {
	h.Length = uint64(varintLen(v))
	return AppendVarint(AppendHeader(dst, h), v)
}

func varintLen(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

// ParsePing reads the payload of a PING or PONG frame.
func ParsePing(p []byte) (opaque [PingLen]byte, err error) {
	if len(p) != PingLen {
		return opaque, ErrPayload
	}
	return [PingLen]byte(p), nil
}

// AppendReset appends a RESET frame. A reason over MaxReasonLen bytes is cut.
func AppendReset(dst []byte, stream, code uint64, reason string) []byte {
	reason = CutText(reason, MaxReasonLen)
	h := Header{Type: TypeReset, Stream: stream, Length: uint64(varintLen(code) + len(reason))}
	return append(AppendVarint(AppendHeader(dst, h), code), reason...)
}

// ParseReset reads the payload of a RESET frame.
func ParseReset(p []byte) (code uint64, reason string, err error) {
	code, n, err := ParseVarint(p)
	if err != nil {
		return 0, "", payloadError(err)
	}
	if code == 0 || len(p)-n > MaxReasonLen {
		return 0, "", ErrPayload
	}
	return code, Text(p[n:]), nil
}

// Text returns text from the wire, with U+FFFD for bytes that are not UTF-8.
func Text(p []byte) string { return strings.ToValidUTF8(string(p), "\uFFFD") }

// CutText returns s, cut between two characters to at most limit bytes, with
// U+FFFD for bytes that are not UTF-8.
func CutText(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
