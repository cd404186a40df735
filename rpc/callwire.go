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
	service  string // service and name are unused if there is an alias
	name     string
	alias    uint64 // 0: none
	codec    string // "": proto
	timeout  time.Duration
	hasLimit bool   // timeout is set
	encoding string // "": none
	accept   string
	metadata *pairs
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
		dst = frame.AppendUintField(dst, openTimeout, micros) // a longer timeout is sent as none
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
	return b.metadata.appendTo(dst)
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
			// The longest timeout, 285 years, fits a time.Duration.
			b.timeout, b.hasLimit = time.Duration(f.Uint)*time.Microsecond, true
		case keyEncoding:
			b.encoding = string(f.Bytes)
		case openAccept:
			b.accept = string(f.Bytes)
		case keyMetadata:
			b.metadata, err = b.metadata.parse(f.Bytes, len(p))
			return err
		}
		return nil
	})
	if err == nil && named == (b.alias != 0) {
		err = errors.New("it must name exactly one method")
	}
	return b, err
}

// headerBlock is the response header.
type headerBlock struct {
	encoding string
	metadata *pairs
}

func (b *headerBlock) append(dst []byte) []byte {
	if b.encoding != "" {
		dst = frame.AppendBytesField(dst, keyEncoding, b.encoding)
	}
	return b.metadata.appendTo(dst)
}

func parseHeaderBlock(p []byte) (b headerBlock, err error) {
	err = parseBlock(p, func(f frame.Field) error {
		switch f.Key {
		case keyEncoding:
			b.encoding = string(f.Bytes)
		case keyMetadata:
			b.metadata, err = b.metadata.parse(f.Bytes, len(p))
			return err
		}
		return nil
	})
	return b, err
}

// endBlock is the response trailer with the status of the call. An empty block
// means OK.
type endBlock struct {
	status   *Error // nil: OK
	alias    uint64 // 0: none
	metadata *pairs
}

// append appends the block. It leaves out a detail that cannot be encoded,
// because the status must be sent.
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
	return b.metadata.appendTo(dst)
}

// shorten drops the least important part of a block that exceeds the peer's
// limit in bytes, and reports whether there was one.
func (b *endBlock) shorten(limit int) bool {
	switch e := b.status; {
	case e != nil && len(e.details) > 0:
		b.status = &Error{code: e.code, message: e.message}
	case b.metadata.count() > 0:
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
				status.details = append(status.details, d) // a detail that does not parse is left out
			}
		case endAlias:
			b.alias = f.Uint
		case keyMetadata:
			b.metadata, err = b.metadata.parse(f.Bytes, len(p))
			return err
		}
		return nil
	})
	if status.code != CodeOK {
		b.status = &Error{code: status.code, message: status.message, details: status.details}
	}
	return b, err
}

// repeated reports whether a block may contain a key more than once. No two
// blocks use such a key differently.
func repeated(key uint64) bool { return key == keyMetadata || key == endDetail }

// parseBlock calls handle for each field of a block.
func parseBlock(p []byte, handle func(frame.Field) error) error {
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
			return fmt.Errorf("key %d is repeated", f.Key)
		}
		if err := handle(f); err != nil {
			return err
		}
		p = rest
	}
	return nil
}

// hasTooManyPairs counts the pairs before any is stored, so that refusing a
// block costs almost nothing.
func hasTooManyPairs(p []byte) bool {
	const least = 4 // bytes of a pair
	if len(p) <= least*maxPairs {
		return false
	}
	for n := 0; len(p) > 0; {
		f, rest, err := frame.ParseField(p)
		if err != nil {
			return false // parseBlock finds it
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

// blockError returns the status for a block of the peer that cannot be read.
func blockError(what string, err error) *Error {
	if errors.Is(err, errPairs) {
		return Errorf(CodeResourceExhausted, "%s: %w", what, err)
	}
	return Errorf(CodeInternal, "malformed %s: %w", what, err)
}
