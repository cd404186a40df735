package rpc

import (
	"context"
	"errors"
	"sync"

	"github.com/parley-rpc/parley/transport"
)

// worthCompressing is the size in bytes below which a message is sent as it is:
// what gzip saves on less is not worth its time.
const worthCompressing = 512

// coder turns the messages of one call into bytes and back.
type coder struct {
	codec    Codec
	compress Compressor // of what is sent; nil: none
	inflate  Compressor // of marked messages that arrive; nil: none was announced
	limit    int        // bytes of a message that arrives, inflated
}

// encode appends msg to dst; mark says that it is compressed.
func (c *coder) encode(dst []byte, msg any) (_ []byte, mark bool, err error) {
	var plain []byte
	if raw, ok := msg.(*Raw); ok {
		plain = append(dst, *raw...)
	} else if plain, err = c.codec.MarshalAppend(dst, msg); err != nil {
		return dst, false, Errorf(CodeInternal, "encode %T as %s: %w", msg, c.codec.Name(), err)
	}
	size := len(plain) - len(dst)
	if c.compress == nil || size < worthCompressing {
		return plain, false, nil
	}
	packed, err := c.compress.Compress(nil, plain[len(dst):])
	if err != nil {
		return plain, false, Errorf(CodeInternal, "compress with %s: %w", c.compress.Name(), err)
	}
	if len(packed) >= size {
		return plain, false, nil
	}
	return append(plain[:len(dst)], packed...), true, nil
}

// decode reads a message that has arrived, by unmarshal or merge.
func (c *coder) decode(m transport.Message, msg any, how decoding) error {
	data := m.Bytes
	if m.Mark {
		if c.inflate == nil {
			return Errorf(CodeInternal, "a message is compressed, but no compression was announced")
		}
		b := getBuffer()
		defer b.put()
		var err error
		if b.bytes, err = c.inflate.Decompress(b.bytes, data, c.limit); err != nil {
			code := CodeInternal
			if errors.Is(err, ErrInflatedTooLarge) {
				code = CodeResourceExhausted
			}
			return Errorf(code, "inflate with %s, at most %d bytes: %w", c.inflate.Name(), c.limit, err)
		}
		data = b.bytes
	}
	if raw, ok := msg.(*Raw); ok {
		*raw = append((*raw)[:0], data...)
		return nil
	}
	if err := how(c, data, msg); err != nil {
		return Errorf(CodeInternal, "decode %T as %s: %.1000w", msg, c.codec.Name(), err)
	}
	return nil
}

// buffer is pooled memory for one message.
type buffer struct{ bytes []byte }

// decoding is unmarshal or merge.
type decoding func(c *coder, data []byte, msg any) error

func (c *coder) unmarshal(data []byte, msg any) error { return c.codec.Unmarshal(data, msg) }

// merge is unmarshal for a message that is as new has made it: it need not be reset, which
// is a fourth of what it takes to decode a small one (docs/design/speed.md).
func (c *coder) merge(data []byte, msg any) error {
	if _, ok := c.codec.(protoCodec); ok {
		return mergeProto(data, msg)
	}
	return c.unmarshal(data, msg)
}

// newReceiver is a Stream of this package.
type newReceiver interface {
	receive(msg any, how decoding) error
}

// recvNew is Recv for a message that is as new has made it.
func recvNew(s Stream, msg any) error {
	if own, ok := s.(newReceiver); ok {
		return own.receive(msg, (*coder).merge)
	}
	return s.Recv(msg)
}

// arriving is the memory of the message that a stream receives. While nothing has come
// there is none.
type arriving struct{ *buffer }

// Take is that of transport.Memory.
func (a *arriving) Take() []byte {
	a.buffer = getBuffer()
	return a.bytes
}

// recv receives a message, whose bytes stay valid until drop.
func (a *arriving) recv(ctx context.Context, st *transport.Stream) (transport.Message, error) {
	m, err := st.RecvIn(ctx, a)
	switch {
	case err == nil && a.buffer != nil:
		a.bytes = m.Bytes
	case err != nil && !errors.Is(err, transport.ErrConcurrent): // then it is another's
		a.drop()
	}
	return m, err
}

// drop ends the use of the message.
func (a *arriving) drop() {
	if a.buffer != nil {
		a.put()
		a.buffer = nil
	}
}

// keptBuffer is the capacity in bytes beyond which a buffer is not kept.
const keptBuffer = 8 << 20

var buffers = sync.Pool{New: func() any { return new(buffer) }}

func getBuffer() *buffer { return buffers.Get().(*buffer) }

func (b *buffer) put() {
	if cap(b.bytes) <= keptBuffer {
		b.bytes = b.bytes[:0]
		buffers.Put(b)
	}
}
