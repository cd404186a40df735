package cluster

import (
	"context"
	"errors"
	"io"

	"github.com/parley-rpc/parley/rpc"
)

// A call to a client of another node is made on the connection to that node,
// with the client's name in the metadata. That node makes the same call on the
// client's connection, and passes bytes both ways.
const (
	clientKey    = "cluster-client-bin" // the client's name; only nodes set it
	forwardedKey = "cluster-forwarded"  // the call was forwarded to a node that no longer had the client
)

// forward makes the call of in on a connection, and passes on what both ends
// send: messages, metadata, deadline, cancellation and status.
func forward(ctx context.Context, in rpc.Stream, to rpc.Caller, more ...rpc.CallOption) error {
	call := in.Call()
	opts := append(more, rpc.WithRawCodec(call.CodecName()))
	for key, values := range call.Header() {
		if key != clientKey && key != forwardedKey {
			opts = append(opts, rpc.WithMetadata(key, values...))
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out, err := to.Open(ctx, anyKind(call.Method), opts...)
	if err != nil {
		return err
	}
	// This goroutine waits for the caller's next message. It ends when the
	// handler has returned.
	go func() {
		if err := passRequests(in, out); err != nil {
			cancel(err) // the caller has sent what cannot be passed on
		}
	}()
	return passResponses(ctx, out, in)
}

// anyKind is a method whose kind only the ends of its calls know.
func anyKind(m *rpc.Method) *rpc.Method {
	return &rpc.Method{Service: m.Service, Name: m.Name, ClientStreams: true, ServerStreams: true, Idempotency: m.Idempotency}
}

// passRequests passes the caller's messages on. If the callee ends the call
// first, passResponses has its status.
func passRequests(in, out rpc.Stream) error {
	var msg rpc.Raw
	for {
		err := in.Recv(&msg)
		if errors.Is(err, io.EOF) {
			_ = out.CloseSend() // an error is the end of the call
			return nil
		}
		if err != nil {
			return err
		}
		if out.Send(&msg) != nil {
			return nil
		}
	}
}

// passResponses passes the callee's header, messages and trailer on, and
// returns the status.
func passResponses(ctx context.Context, out, in rpc.Stream) error {
	header, err := out.Call().ResponseHeader()
	if err != nil {
		return endOf(ctx, out, in, err)
	}
	for key, values := range header {
		if err := in.Call().SetHeader(key, values...); err != nil {
			return err
		}
	}
	if len(header) > 0 {
		if err := in.Call().SendHeader(); err != nil {
			return err
		}
	}
	var msg rpc.Raw
	for {
		if err := out.Recv(&msg); err != nil {
			return endOf(ctx, out, in, err)
		}
		if err := in.Send(&msg); err != nil {
			return err
		}
	}
}

// endOf passes the trailer on, and returns the status of the call.
func endOf(ctx context.Context, out, in rpc.Stream, err error) error {
	var malformed *rpc.Error
	if errors.As(context.Cause(ctx), &malformed) && !errors.Is(err, io.EOF) {
		return malformed
	}
	for key, values := range out.Call().Trailer() {
		if err := in.Call().SetTrailer(key, values...); err != nil {
			return err
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
