package rpc

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/parley-rpc/parley/internal/frame"
)

// Keys of the fields in the blocks that open, answer and end a call
// (PROTOCOL.md, section "Calls").
const (
	openMethod  = 1
	openAlias   = 2
	openCodec   = 3
	openTimeout = 4 // microseconds
	keyEncoding = 5 // OPEN and HEADER
	openAccept  = 7
	keyMetadata = 9 // OPEN, HEADER and END
	endMessage  = 1
	endStatus   = 2
	endAlias    = 6
	endDetail   = 11
)

// openBlock is the header that opens a call.
type openBlock struct {
	service  string // with name: the method, unless there is an alias
	name     string
	alias    uint64 // 0: none
	codec    string // "": proto
	timeout  time.Duration
	hasLimit bool   // timeout is meant
	encoding string // "": none
	accept   string
	metadata Metadata
}

func (b *openBlock) append(dst []byte) []byte {
	if b.alias != 0 {
		dst = frame.AppendUintField(dst, openAlias, b.alias)
	} else {
		dst = frame.AppendVarint(dst, openMethod)
		dst = frame.AppendVarint(dst, uint64(len(b.service)+1+len(b.name)))
		dst = append(append(append(dst, b.service...), '/'), b.name...)
	}
	if micros := uint64(max(b.timeout, 0) / time.Microsecond); b.hasLimit && micros <= frame.MaxVarint {
		dst = frame.AppendUintField(dst, openTimeout, micros) // longer than can be said is none
	}
	if b.codec != "" && b.codec != CodecProto {
		dst = frame.AppendBytesField(dst, openCodec, b.codec)
	}
	if b.encoding != "" {
		dst = frame.AppendBytesField(dst, keyEncoding, b.encoding)
	}
	if b.accept != "" {
		dst = frame.AppendBytesField(dst, openAccept, b.accept)
	}
	return appendMetadata(dst, b.metadata)
}

func parseOpenBlock(p []byte) (b openBlock, err error) {
	named := false
	err = parseBlock(p, func(f frame.Field) error {
		switch f.Key {
		case openMethod:
			named = len(f.Bytes) > 0
			b.service, b.name, _ = strings.Cut(string(f.Bytes), "/")
		case openAlias:
			b.alias = f.Uint
		case openCodec:
			b.codec = string(f.Bytes)
		case openTimeout:
			// The clock can tell the longest, of 285 years.
			b.timeout, b.hasLimit = time.Duration(f.Uint)*time.Microsecond, true
		case keyEncoding:
			b.encoding = string(f.Bytes)
		case openAccept:
			b.accept = string(f.Bytes)
		case keyMetadata:
			return b.metadata.parsePair(f.Bytes)
		}
		return nil
	})
	if err == nil && named == (b.alias != 0) {
		err = errors.New("it names no method, or two")
	}
	return b, err
}

// headerBlock is the callee's header.
type headerBlock struct {
	encoding string
	metadata Metadata
}

func (b *headerBlock) append(dst []byte) []byte {
	if b.encoding != "" {
		dst = frame.AppendBytesField(dst, keyEncoding, b.encoding)
	}
	return appendMetadata(dst, b.metadata)
}

func parseHeaderBlock(p []byte) (b headerBlock, err error) {
	err = parseBlock(p, func(f frame.Field) error {
		switch f.Key {
		case keyEncoding:
			b.encoding = string(f.Bytes)
		case keyMetadata:
			return b.metadata.parsePair(f.Bytes)
		}
		return nil
	})
	return b, err
}

// endBlock is the callee's trailer: the status of the call. An empty one is OK.
type endBlock struct {
	status   *Error // nil: OK
	alias    uint64 // 0: none
	metadata Metadata
}

// append appends the block. A detail that cannot be encoded is left out: the
// status must not fail for it.
func (b *endBlock) append(dst []byte) []byte {
	if b.alias != 0 {
		dst = frame.AppendUintField(dst, endAlias, b.alias)
	}
	if e := b.status; e != nil {
		dst = frame.AppendUintField(dst, endStatus, uint64(e.code))
		if e.message != "" {
			dst = frame.AppendBytesField(dst, endMessage, strings.ToValidUTF8(e.message, "\uFFFD"))
		}
		for _, d := range e.details {
			if packed, err := proto.Marshal(d); err == nil {
				dst = frame.AppendBytesField(dst, endDetail, packed)
			}
		}
	}
	return appendMetadata(dst, b.metadata)
}

// shorten drops what matters least of a block that is over the peer's limit in
// bytes, and tells whether there was anything.
func (b *endBlock) shorten(limit int) bool {
	switch e := b.status; {
	case e != nil && len(e.details) > 0:
		b.status = &Error{code: e.code, message: e.message}
	case len(b.metadata) > 0:
		b.metadata = nil
	case e != nil && e.message != "":
		excess := len(b.append(nil)) - limit
		message := strings.ToValidUTF8(e.message, "\uFFFD")
		b.status = &Error{code: e.code, message: frame.CutText(message, max(len(message)-excess, 0))}
	default:
		return false
	}
	return true
}

func parseEndBlock(p []byte) (b endBlock, err error) {
	var status Error
	err = parseBlock(p, func(f frame.Field) error {
		switch f.Key {
		case endStatus:
			status.code = codeFrom(f.Uint)
		case endMessage:
			status.message = frame.Text(f.Bytes)
		case endDetail:
			if d := new(anypb.Any); proto.Unmarshal(f.Bytes, d) == nil {
				status.details = append(status.details, d) // one that does not parse is left out
			}
		case endAlias:
			b.alias = f.Uint
		case keyMetadata:
			return b.metadata.parsePair(f.Bytes)
		}
		return nil
	})
	if status.code != CodeOK {
		b.status = &Error{code: status.code, message: status.message, details: status.details}
	}
	return b, err
}

// repeated are the keys that a block may have more than once; no two blocks use
// one of them differently.
func repeated(key uint64) bool { return key == keyMetadata || key == endDetail }

// parseBlock calls take for each field of a block.
func parseBlock(p []byte, take func(frame.Field) error) error {
	var once frame.Once
	if hasTooManyPairs(p) {
		return errPairs
	}
	for len(p) > 0 {
		f, rest, err := frame.ParseField(p)
		if err != nil {
			return err
		}
		if !repeated(f.Key) && !once.First(f.Key) {
			return fmt.Errorf("key %d comes twice", f.Key)
		}
		if err := take(f); err != nil {
			return err
		}
		p = rest
	}
	return nil
}

// appendMetadata appends a field for each pair: the key's length, key and value.
func appendMetadata(dst []byte, m Metadata) []byte {
	for key, values := range m {
		for _, v := range values {
			dst = frame.AppendVarint(dst, keyMetadata)
			dst = frame.AppendVarint(dst, uint64(varintLen(len(key))+len(key)+len(v)))
			dst = frame.AppendVarint(dst, uint64(len(key)))
			dst = append(append(dst, key...), v...)
		}
	}
	return dst
}

func varintLen(n int) int { return len(frame.AppendVarint(make([]byte, 0, 8), uint64(n))) }

// maxPairs is how many pairs of metadata a block may have: many small ones cost far
// more than their length in bytes tells.
const maxPairs = 256

// hasTooManyPairs looks ahead, before any of them is stored, so that refusing a block
// costs next to nothing.
func hasTooManyPairs(p []byte) bool {
	const least = 4 // bytes of a pair
	if len(p) <= least*maxPairs {
		return false
	}
	for n := 0; len(p) > 0; {
		f, rest, err := frame.ParseField(p)
		if err != nil {
			return false // which is found when it is read
		}
		if f.Key == keyMetadata {
			n++
		}
		if n > maxPairs {
			return true
		}
		p = rest
	}
	return false
}

// errPairs says that a block has more.
var errPairs = fmt.Errorf("more than %d pairs of metadata", maxPairs)

// blockError is the status for a block of the other end that cannot be read.
func blockError(what string, err error) *Error {
	if errors.Is(err, errPairs) {
		return Errorf(CodeResourceExhausted, "%s: %w", what, err)
	}
	return Errorf(CodeInternal, "malformed %s: %w", what, err)
}

// parsePair adds the pair of one metadata field.
func (m *Metadata) parsePair(p []byte) error {
	n, used, err := frame.ParseVarint(p)
	if err != nil || n > uint64(len(p)-used) {
		return errors.New("a metadata pair is cut short")
	}
	p = p[used:]
	key, value := string(p[:n]), string(p[n:])
	if err := checkPair(key, value); err != nil {
		return err
	}
	if strings.HasPrefix(key, reservedPrefix) {
		return nil
	}
	if *m == nil {
		*m = make(Metadata)
	}
	(*m)[key] = append((*m)[key], value)
	return nil
}
