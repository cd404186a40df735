package rpc

import (
	"context"
	"sync"
)

// Call is what is known of one call at one of its ends. A handler gets it with
// FromContext, a caller from its stream.
type Call struct {
	// Conn is the connection; calls to the other end can be made on it. Where a
	// Client makes the call it is nil until the call has been opened, and stays
	// the same if the call is tried again on another.
	Conn   *Conn
	Method *Method
	Peer   *Peer // the other end, as Conn

	caller *clientStream   // at the caller's end, otherwise nil
	callee *serverStream   // at the callee's end, otherwise nil
	ctx    context.Context // of the call, at the callee's end

	mu          sync.Mutex
	request     Metadata // the caller's header
	response    Metadata // the callee's header
	encoding    string   // of the callee's marked messages, "" for none
	trailer     Metadata
	headerSent  bool // the callee has sent its header, or the caller its call
	hasResponse bool // response has been read off the stream
	ended       bool // the callee's trailer has been sent
	shared      bool // a goroutine of the application has used the stream, and may be at it still
}

type callKey struct{}

// FromContext returns the call that a handler serves. It panics if ctx is not
// one that a handler was given, or made from such a one.
func FromContext(ctx context.Context) *Call {
	c, ok := CallFromContext(ctx)
	if !ok {
		panic("rpc: FromContext called outside of a handler")
	}
	return c
}

// CallFromContext is FromContext for code that may also run outside of handlers.
func CallFromContext(ctx context.Context) (c *Call, ok bool) {
	c, ok = ctx.Value(callKey{}).(*Call)
	return c, ok
}

// CodecName returns the name of the codec that the call's messages are written with.
func (c *Call) CodecName() string {
	if c.caller != nil {
		return c.caller.coder.codec.Name()
	}
	return c.callee.coder.codec.Name()
}

// Header returns what the caller has sent beside its messages.
func (c *Call) Header() Metadata {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.request.Clone()
}

// SetHeader adds values to a key of the header that this end sends: a handler's
// answer, or, in an interceptor before next, the caller's request. The error has
// CodeInvalidArgument for a key or value that cannot travel,
// CodeResourceExhausted for more than 256 pairs, and CodeFailedPrecondition once the
// header has been sent.
func (c *Call) SetHeader(key string, values ...string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.headerSent {
		return Errorf(CodeFailedPrecondition, "header %q comes too late: the header has been sent", key)
	}
	if c.caller != nil {
		return c.request.add(key, values)
	}
	return c.response.add(key, values)
}

// SendHeader sends a handler's header at once instead of with the first message.
func (c *Call) SendHeader() error {
	if c.caller != nil {
		return Errorf(CodeFailedPrecondition, "only a handler sends a header by itself")
	}
	header, sent := c.shareHeader()
	if sent {
		return nil
	}
	return c.streamError(c.callee.st.SendHeader(c.ctx, header.append(nil)))
}

// lendHeader is takeHeader for a goroutine that may outlive the handler.
func (c *Call) shareHeader() (header headerBlock, sent bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shared = c.shared || !c.headerSent
	return c.markHeaderSent()
}

// isLent tells whether one of the application's goroutines may still use the stream.
// None begins to once the header is sent.
func (c *Call) isShared() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shared
}

// failure turns an error of the stream into what a handler is told.
func (c *Call) streamError(err error) error {
	if err == nil || isEnd(err) {
		return err
	}
	if ctxErr := c.ctx.Err(); ctxErr != nil {
		return transportError(ctxErr)
	}
	return notEOF(transportError(err))
}

// sendHeaderIfAny sends the callee's header ahead of the first message or the
// status, if there is something in it.
func (c *Call) sendHeaderIfAny() error {
	header, sent := c.takeHeader()
	if sent || header.encoding == "" && len(header.metadata) == 0 {
		return nil
	}
	return c.streamError(c.callee.st.SendHeader(c.ctx, header.append(nil)))
}

// takeHeader returns the callee's header, and whether it has been sent before.
func (c *Call) takeHeader() (header headerBlock, sent bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.markHeaderSent()
}

// handHeader is takeHeader; mu is held.
func (c *Call) markHeaderSent() (header headerBlock, sent bool) {
	sent, c.headerSent = c.headerSent, true
	return headerBlock{encoding: c.encoding, metadata: c.response}, sent
}

// SetTrailer adds values to a key of the trailer that a handler's status travels
// with. Its errors are those of SetHeader; it is too late when the handler has
// returned.
func (c *Call) SetTrailer(key string, values ...string) error {
	if c.caller != nil {
		return Errorf(CodeFailedPrecondition, "only a handler has a trailer to set")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return Errorf(CodeFailedPrecondition, "trailer %q comes too late: the call has ended", key)
	}
	return c.trailer.add(key, values)
}

// takeTrailer returns the callee's trailer, which changes no more.
func (c *Call) takeTrailer() Metadata {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	return c.trailer
}

// ResponseHeader returns the handler's header. At the caller's end it waits for
// it, until the call ends or its context does.
func (c *Call) ResponseHeader() (Metadata, error) {
	if c.caller != nil {
		if err := c.caller.waitHeader(); err != nil {
			return nil, err
		}
	}
	return c.responseHeader(), nil
}

func (c *Call) responseHeader() Metadata {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.response.Clone()
}

// answerEncoding returns what the callee's marked messages are compressed with.
func (c *Call) responseEncoding() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.encoding
}

// headerOr returns err, unless the callee's header is known.
func (c *Call) headerOr(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hasResponse {
		return nil
	}
	return err
}

// setAnswer takes over the callee's header, which may announce the compression
// that was accepted and no other.
func (c *Call) setResponse(p []byte, accepted string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hasResponse {
		return nil
	}
	b, err := parseHeaderBlock(p)
	if err != nil {
		return blockError("header from the peer", err)
	}
	if b.encoding != "" && b.encoding != accepted {
		return Errorf(CodeInternal, "the answer is compressed by %.200q, which was not accepted", b.encoding)
	}
	c.hasResponse, c.response, c.encoding = true, b.metadata, b.encoding
	return nil
}

// forgetAnswer makes way for the answer of another attempt.
func (c *Call) resetResponse() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.response, c.encoding, c.trailer, c.hasResponse = nil, "", nil, false
}

// Trailer returns the handler's trailer. At the caller's end it is empty until
// the call has ended.
func (c *Call) Trailer() Metadata {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.trailer.Clone()
}

// Retries tells, at the caller's end, how often the call was made again on behalf of
// the application: because the server had not seen it, or by the RetryPolicy.
func (c *Call) Retries() int {
	if c.caller == nil {
		return 0
	}
	return int(c.caller.retries.opened.Load())
}

// IsUnknown tells, at the callee's end, whether nobody has registered the method, so
// that the handler of Mux.HandleUnknown serves it: its names are the caller's.
func (c *Call) IsUnknown() bool { return c.callee != nil && c.callee.unregistered }
