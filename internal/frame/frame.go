package frame

import (
	"errors"
	"fmt"
)

// Type is the kind of a frame: bits 0 to 3 of its first byte.
type Type uint8

// The frame types of version 1. PROTOCOL.md has a section on each.
const (
	TypeHello  Type = 1
	TypeOpen   Type = 2
	TypeHeader Type = 3
	TypeData   Type = 4
	TypeEnd    Type = 5
	TypeReset  Type = 6
	TypeWindow Type = 7
	TypeAck    Type = 8
	TypePing   Type = 9
	TypePong   Type = 10
	TypeGoAway Type = 11
)

const typeMask = 0x0f

var typeNames = [...]string{
	TypeHello: "HELLO", TypeOpen: "OPEN", TypeHeader: "HEADER", TypeData: "DATA",
	TypeEnd: "END", TypeReset: "RESET", TypeWindow: "WINDOW", TypeAck: "ACK",
	TypePing: "PING", TypePong: "PONG", TypeGoAway: "GOAWAY",
}

func (t Type) String() string {
	if t.Known() {
		return typeNames[t]
	}
	return fmt.Sprintf("frame type %d", uint8(t))
}

// Known reports whether version 1 defines the type.
func (t Type) Known() bool { return t >= TypeHello && t <= TypeGoAway }

// Sequenced reports whether frames of the type are counted for resumption.
func (t Type) Sequenced() bool {
	return t >= TypeOpen && t <= TypeReset || t == TypeGoAway
}

// ofStream reports whether frames of the type belong to a stream and not to the
// session.
func (t Type) ofStream() bool { return t >= TypeOpen && t <= TypeWindow }

// Flags are bits 4 to 7 of a frame's first byte.
type Flags uint8

const (
	// FlagEnd half-closes the sender's direction (DATA; OPEN of a stream
	// without any message).
	FlagEnd Flags = 0x10
	// FlagMore says that the message continues in the next DATA of the stream.
	FlagMore Flags = 0x20
	// FlagMark belongs to the application. It is the same in all frames of a
	// message.
	FlagMark Flags = 0x40
	// FlagIgnorable, on a type that version 1 does not define, asks a receiver
	// to skip the frame instead of closing the link.
	FlagIgnorable Flags = 0x80
)

// allowed are the flags that each known type may have.
var allowed = [typeMask + 1]Flags{TypeOpen: FlagEnd, TypeData: FlagEnd | FlagMore | FlagMark}

// The errors of a malformed frame. Each closes the link with code 1002.
var (
	ErrType    = errors.New("frame: unknown type that may not be ignored")
	ErrFlags   = errors.New("frame: flags that the type does not have")
	ErrStream  = errors.New("frame: stream id does not fit the type")
	ErrPayload = errors.New("frame: payload does not fit the type")
)

// Header is what precedes a frame's payload.
type Header struct {
	Type   Type
	Flags  Flags
	Stream uint64 // 0 for a frame of the session
	Length uint64 // of the payload, in bytes
}

// MaxHeaderLen is the length in bytes of the longest frame header.
const MaxHeaderLen = 1 + 2*maxVarintLen

// AppendHeader appends a frame's header. Length bytes of payload must follow.
func AppendHeader(dst []byte, h Header) []byte {
	dst = append(dst, byte(h.Type)|byte(h.Flags))
	dst = AppendVarint(dst, h.Stream)
	return AppendVarint(dst, h.Length)
}

// Append appends a whole frame. It sets the Length of h from payload.
func Append(dst []byte, h Header, payload []byte) []byte {
	h.Length = uint64(len(payload))
	return append(AppendHeader(dst, h), payload...)
}

// ParseHeader reads the frame header at the start of b and returns its length
// in bytes. The caller may skip a frame whose Type is not Known; if it may not
// be skipped, ParseHeader returns ErrType. The caller must compare Length with
// its limit before it waits for the payload.
func ParseHeader(b []byte) (h Header, n int, err error) {
	if len(b) == 0 {
		return Header{}, 0, ErrIncomplete
	}
	h.Type, h.Flags = Type(b[0]&typeMask), Flags(b[0]&^typeMask)
	if err := h.checkHead(); err != nil {
		return Header{}, 0, err
	}
	var m int
	if h.Stream, m, err = ParseVarint(b[1:]); err != nil {
		return Header{}, 0, err
	}
	if h.Type.Known() && h.Type.ofStream() != (h.Stream != 0) {
		return Header{}, 0, ErrStream
	}
	n = 1 + m
	if h.Length, m, err = ParseVarint(b[n:]); err != nil {
		return Header{}, 0, err
	}
	if h.Length == 0 && h.Type == TypeData && h.Flags&FlagMore != 0 {
		return Header{}, 0, ErrPayload // an endless message of no bytes
	}
	return h, n + m, nil
}

func (h Header) checkHead() error {
	switch {
	case !h.Type.Known():
		if h.Type == 0 || h.Flags&FlagIgnorable == 0 {
			return ErrType
		}
	case h.Flags&^allowed[h.Type] != 0, h.Flags&(FlagEnd|FlagMore) == FlagEnd|FlagMore:
		return ErrFlags
	}
	return nil
}
