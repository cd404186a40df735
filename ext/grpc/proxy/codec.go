package proxy

import (
	"fmt"

	"google.golang.org/grpc/mem"

	"github.com/parley-rpc/parley/rpc"
)

// rawCodec passes messages through grpc-go unchanged. Its value is the name of
// the codec that has encoded them.
type rawCodec string

func (c rawCodec) Name() string { return string(c) }

// Marshal passes on the message; grpc-go retains it as long as it needs.
func (c rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	raw, ok := v.(*rpc.Raw)
	if !ok {
		return nil, fmt.Errorf("%T is not a *rpc.Raw", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(*raw)}, nil
}

// Unmarshal copies the message, into the memory of the previous one if it is
// large enough.
func (c rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	raw, ok := v.(*rpc.Raw)
	if !ok {
		return fmt.Errorf("%T is not a *rpc.Raw", v)
	}
	*raw = (*raw)[:0]
	for _, b := range data {
		*raw = append(*raw, b.ReadOnlyData()...)
	}
	return nil
}
