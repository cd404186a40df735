package rpc

import (
	"context"

	"github.com/parley-rpc/parley/transport"
)

// minCompressSize is the size in bytes below which a message is not compressed:
// gzip saves too little on it.
const minCompressSize = 512

// coder encodes and decodes the messages of one call.
type coder struct {
	codec    Codec
	compress Compressor // of sent messages; nil: none
	inflate  Compressor // of marked messages that arrive; nil: none was announced
	limit    int        // bytes of a message that arrives, when inflated
}

// encode puts msg into an empty buffer. mark reports whether it is compressed.
func (c *coder) encode(b *buffer, msg any) (mark bool, err error) {
	if err := c.marshal(b, msg); err != nil {
		return false, Errorf(CodeInternal, "encode %T as %s: %w", msg, c.codec.Name(), err)
	}
	if c.compress == nil || len(b.bytes) < minCompressSize {
		return false, nil
	}
	packed, err := c.compress.Compress(nil, b.bytes)
	if err != nil {
		return false, Errorf(CodeInternal, "compress with %s: %w", c.compress.Name(), err)
	}
	if len(packed) >= len(b.bytes) {
		return false, nil
	}
	b.bytes = append(b.bytes[:0], packed...)
	return true, nil
}

// marshal encodes msg into an empty buffer, in pooled memory if its size is
// known.
func (c *coder) marshal(b *buffer, msg any) (err error) {
	if raw, ok := msg.(*Raw); ok {
		b.reserve(len(*raw))
		b.bytes = append(b.bytes, *raw...)
		return nil
	}
	if _, ok := c.codec.(protoCodec); ok {
		return marshalProto(b, msg)
	}
	encoded, err := c.codec.MarshalAppend(b.bytes, msg)
	if err == nil {
		b.bytes = encoded
	}
	return err
}

// decode decodes a message that has arrived on a connection, by unmarshal or
// merge. If the message must be inflated and others are ahead of it, decode
// waits until ctx ends.
func (c *coder) decode(ctx context.Context, conn *Conn, m transport.Message, msg any, how decodeFunc) error {
	if !m.Mark {
		return c.decodePlain(m.Bytes, msg, how)
	}
	if c.inflate == nil {
		return Errorf(CodeInternal, "a message is compressed, which was not negotiated")
	}
	return c.inflateThen(ctx, conn, m.Bytes, func(plain []byte) error { return c.decodePlain(plain, msg, how) })
}

func (c *coder) decodePlain(data []byte, msg any, how decodeFunc) error {
	if raw, ok := msg.(*Raw); ok {
		*raw = append((*raw)[:0], data...)
		return nil
	}
	if err := how(c, data, msg); err != nil {
		return Errorf(CodeInternal, "decode %T as %s: %.1000w", msg, c.codec.Name(), err)
	}
	return nil
}

// decodeFunc is unmarshal or merge.
type decodeFunc func(c *coder, data []byte, msg any) error

func (c *coder) unmarshal(data []byte, msg any) error { return c.codec.Unmarshal(data, msg) }

// merge is unmarshal for a message fresh from new. It skips the reset, which is
// a quarter of the time to decode a small message (docs/design/speed.md).
func (c *coder) merge(data []byte, msg any) error {
	if _, ok := c.codec.(protoCodec); ok {
		return mergeProto(data, msg)
	}
	return c.unmarshal(data, msg)
}
