package parleyconnect

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	"github.com/parley-rpc/parley/rpc"
)

// rawCodec passes messages on as bytes, to and from the codec of package rpc of
// that name.
type rawCodec string

// codecs returns a codec for each of a bridge.
func codecs(b *rpc.Bridge) (all []connect.Codec) {
	for _, name := range b.Codecs() {
		all = append(all, rawCodec(name))
	}
	return all
}

// Name implements connect.Codec.
func (c rawCodec) Name() string { return string(c) }

// MarshalWrite implements connect.Codec. connecthttp encodes statuses with it
// too.
func (c rawCodec) MarshalWrite(_ context.Context, dst io.Writer, msg any) error {
	var data []byte
	switch m := msg.(type) {
	case *rpc.Raw:
		data = *m
	case proto.Message:
		var err error
		if data, err = proto.Marshal(m); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%T is not a *rpc.Raw", msg)
	}
	_, err := dst.Write(data)
	return err
}

// UnmarshalRead implements connect.Codec.
func (c rawCodec) UnmarshalRead(_ context.Context, src io.Reader, msg any) error {
	raw, ok := msg.(*rpc.Raw)
	if !ok {
		return fmt.Errorf("%T is not a *rpc.Raw", msg)
	}
	if whole, ok := src.(*bytes.Buffer); ok {
		*raw = append((*raw)[:0], whole.Bytes()...)
		whole.Reset()
		return nil
	}
	in := bytes.NewBuffer((*raw)[:0])
	_, err := in.ReadFrom(src)
	*raw = in.Bytes()
	return err
}
