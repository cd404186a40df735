package parleyconnect

import (
	"errors"
	"io"

	"connectrpc.com/connect/v2"

	"github.com/parley-rpc/parley/rpc"
)

// flow is the rpc.MessageFlow of a request.
type flow struct {
	stream connect.ServerStream
	info   *connect.CallInfo
	in     rpc.Raw // the latest message
}

// Recv implements rpc.MessageFlow.
func (f *flow) Recv() ([]byte, error) {
	f.in = f.in[:0] // connecthttp does not decode an empty message
	err := f.stream.Receive(&f.in)
	if errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	return f.in, parleyError(err)
}

// SetHeader implements rpc.MessageFlow.
func (f *flow) SetHeader(md rpc.Metadata) { outgoing(f.info.ResponseHeader(), md) }

// SendHeader implements rpc.MessageFlow.
func (f *flow) SendHeader() error { return parleyError(f.stream.SendHeaders()) }

// Send implements rpc.MessageFlow.
func (f *flow) Send(msg []byte) error {
	raw := rpc.Raw(msg)
	return parleyError(f.stream.Send(&raw))
}

// SetTrailer implements rpc.MessageFlow.
func (f *flow) SetTrailer(md rpc.Metadata) { outgoing(f.info.ResponseTrailer(), md) }
