package rpc

import (
	"context"
	"errors"
	"io"
)

// Forward makes the call of s with another Caller, and passes on what both ends
// send: metadata, messages as they are, the deadline, the end of the call, and
// the status, which it returns. A call that the callee has surely not processed
// is refused to its caller too (Refuse). Forward is for handlers of proxies: of
// HandleUnknown, for example, or interceptors. No message may have been received
// or sent before. WithMetadata adds to the metadata of the request,
// WithoutMetadata removes some of it.
func Forward(ctx context.Context, s Stream, c Caller, opts ...CallOption) error {
	call := s.Call()
	f := forwarding{in: s, method: call.Method}
	c, opts, err := route(ctx, c, f.method, opts)
	if err != nil {
		return err
	}
	opts = append([]CallOption{call.forward}, opts...)
	if in, ok := s.(*serverStream); ok && in.hasWholeRequest() {
		if own, ok := c.(ownCaller); ok {
			return f.request(ctx, in, own, opts)
		}
	}
	return f.streams(ctx, c, opts)
}

// forward is the CallOption by which a call has the metadata and the codec of
// this one.
func (c *Call) forward(cfg *callConfig) {
	cfg.codec, cfg.raw = c.CodecName(), true
	c.mu.Lock()
	defer c.mu.Unlock()
	cfg.metadata = cfg.metadata.appendAll(c.request)
}

// forwarding is a call that is passed on.
type forwarding struct {
	in     Stream
	method *Method
}

// as returns the method as one of another kind: only the ends of the call know
// its kind.
func (f *forwarding) as(clientStreams, serverStreams bool) *Method {
	m := *f.method
	m.ClientStreams, m.ServerStreams = clientStreams, serverStreams
	return &m
}

// request passes on a call whose only request has arrived, as a unary call. If
// the response is more than one message, it goes on as a stream.
func (f *forwarding) request(ctx context.Context, in *serverStream, to ownCaller, opts []CallOption) error {
	var req Raw
	if err := in.borrowRequest(&req); err != nil {
		return err
	}
	defer in.dropMessage()
	out, e, err := to.newUnary(f.as(false, false), opts)
	if err != nil {
		return err
	}
	if len(e.callChain) > 0 {
		out.call.Method = f.as(false, true)
		s, err := out.startSend(ctx, e, &req)
		if s == nil {
			return refuseUnprocessed(err)
		}
		defer s.Close()
		return f.passResponses(ctx, s)
	}
	answer, err := out.awaitUnary(ctx, e, &req)
	if err != nil {
		return refuseUnprocessed(err)
	}
	if answer.Last {
		return in.answer(func(msg *Raw) error { return out.finishPrivate(answer, msg) })
	}
	out.call.Method, out.private = f.as(false, true), false
	defer func() { _ = out.Close() }()
	return f.passResponses(ctx, out)
}

// streams passes on a call of any kind.
func (f *forwarding) streams(ctx context.Context, to Caller, opts []CallOption) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out, err := to.Open(ctx, f.as(true, true), opts...)
	if err != nil {
		return refuseUnprocessed(err)
	}
	// This goroutine waits for the caller's next message. It ends when the
	// handler has returned.
	go func() {
		if err := f.passRequests(out); err != nil {
			cancel(err) // the caller has sent what cannot be passed on
		}
	}()
	return f.passResponses(ctx, out)
}

// passRequests passes the caller's messages on. If the callee ends the call
// first, passResponses has its status.
func (f *forwarding) passRequests(out Stream) error {
	var msg Raw
	for {
		err := f.in.Recv(&msg)
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
func (f *forwarding) passResponses(ctx context.Context, out Stream) error {
	header, err := out.Call().ResponseHeader()
	if err != nil {
		return f.endOf(ctx, out, err)
	}
	for key, values := range header {
		if err := f.in.Call().SetHeader(key, values...); err != nil {
			return err
		}
	}
	if len(header) > 0 {
		if err := f.in.Call().SendHeader(); err != nil {
			return err
		}
	}
	var msg Raw
	for {
		if err := out.Recv(&msg); err != nil {
			return f.endOf(ctx, out, err)
		}
		if err := f.in.Send(&msg); err != nil {
			return err
		}
	}
}

// endOf passes the trailer on, and returns the status of the call.
func (f *forwarding) endOf(ctx context.Context, out Stream, err error) error {
	var malformed *Error
	if errors.As(context.Cause(ctx), &malformed) && !isEnd(err) {
		return malformed
	}
	for key, values := range out.Call().Trailer() {
		if err := f.in.Call().SetTrailer(key, values...); err != nil {
			return err
		}
	}
	if isEnd(err) {
		return nil
	}
	return refuseUnprocessed(err)
}
