package parleyconnect

import (
	"bytes"
	"errors"
	"io"

	"connectrpc.com/connect/v2"

	"github.com/parley-rpc/parley/rpc"
)

// compressor is a compression of package rpc for connecthttp.
type compressor struct {
	rpc.Compressor
	limit int // bytes of an inflated message
}

// compressors returns the compressions of a bridge.
func compressors(b *rpc.Bridge) (all []connect.Compressor) {
	for _, c := range b.Compressors() {
		all = append(all, compressor{c, b.MaxMessage()})
	}
	return all
}

// Compress implements connect.Compressor.
func (c compressor) Compress(dst io.Writer) (io.WriteCloser, error) {
	return &compressing{compressor: c, dst: dst}, nil
}

// compressing is the compression of one message.
type compressing struct {
	compressor
	dst  io.Writer
	done bool
}

// Write compresses the message. connecthttp writes a message at once, and takes
// no errors of Close.
func (c *compressing) Write(msg []byte) (int, error) {
	if c.done {
		return 0, errors.New("a message is compressed in parts")
	}
	c.done = true
	packed, err := c.Compressor.Compress(nil, msg)
	if err != nil {
		return 0, err
	}
	if _, err := c.dst.Write(packed); err != nil {
		return 0, err
	}
	return len(msg), nil
}

// Close implements io.Closer.
func (c *compressing) Close() error { return nil }

// Decompress implements connect.Compressor.
func (c compressor) Decompress(src io.Reader) (io.ReadCloser, error) {
	return &inflating{compressor: c, src: src}, nil
}

// inflating is a message that is inflated when it is read.
type inflating struct {
	compressor
	src   io.Reader
	plain *bytes.Reader // nil: not inflated yet
}

// Read implements io.Reader.
func (i *inflating) Read(p []byte) (int, error) {
	if i.plain == nil {
		packed, err := io.ReadAll(i.src)
		if err != nil {
			return 0, err
		}
		plain, err := i.Compressor.Decompress(nil, packed, i.limit)
		if errors.Is(err, rpc.ErrInflatedTooLarge) {
			return 0, connect.Errorf(connect.CodeResourceExhausted, "inflate with %s, at most %d bytes: %v", i.Name(), i.limit, err)
		}
		if err != nil {
			return 0, err
		}
		i.plain = bytes.NewReader(plain)
	}
	return i.plain.Read(p)
}

// Close implements io.Closer.
func (i *inflating) Close() error { return nil }
