package rpc

import (
	"context"
	"strings"
	"sync"
)

// Call describes one call at one of its ends. A handler gets it from
// FromContext, a caller from its stream.
type Call struct {
	// Conn is the connection; calls to the peer can be made on it. For a call
	// of a Client it is nil until the call is opened, and does not change if
	// the call is retried on another connection. For a call that a Bridge serves
	// it is nil: there is no way to call the peer.
	Conn   *Conn
	Method *Method
	Peer   *Peer // the peer of Conn; of a call that a Bridge serves, what BridgedCall says

	caller *clientStream // nil at the callee's end
	callee calleeEnd     // nil at the caller's end

	// At the caller's end of a unary call with interceptors, through which alone
	// caller may be used; nil: it is another call.
	intercepted *interceptedUnary

	ctx context.Context // the handler's context, at the callee's end

	mu          sync.Mutex
	request     *pairs // the request header
	response    *pairs // the response header
	encoding    string // compression of the response's marked messages; empty: none
	trailer     *pairs
	headerSent  bool // at the callee's end the response header, at the caller's the request
	hasResponse bool // response has been read from the stream
	ended       bool // the trailer has been sent
	shared      bool // a goroutine of the application has used the stream, and may still use it
}

// calleeEnd is the callee's end of a call: a serverStream, or a bridgedStream.
type calleeEnd interface {
	// codecName returns the name of the codec of the call.
	codecName() string
	// isUnknown reports whether the method is not registered.
	isUnknown() bool
	// sendHeader sends the response header.
	sendHeader(ctx context.Context, header headerBlock) error
}

type callKey struct{}

// FromContext returns the call that a handler serves. It panics unless ctx is a
// handler's context or derived from one.
func FromContext(ctx context.Context) *Call {
	c, ok := CallFromContext(ctx)
	if !ok {
		panic("rpc: FromContext called outside of a handler")
	}
	return c
}

// CallFromContext is FromContext for code that may also run outside of
// handlers.
func CallFromContext(ctx context.Context) (c *Call, ok bool) {
	c, ok = ctx.Value(callKey{}).(*Call)
	return c, ok
}

// CodecName returns the name of the codec of the call's messages.
func (c *Call) CodecName() string {
	switch {
	case c.intercepted != nil:
		return c.intercepted.codec.Name()
	case c.caller != nil:
		return c.caller.coder.codec.Name()
	}
	return c.callee.codecName()
}

// Header returns the request header: the metadata that the caller has sent.
func (c *Call) Header() Metadata {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.request.decode()
}

// HeaderValue returns the first value of a key of the request header, or "". It
// is Header().Get(key), for less: the other values are not decoded.
func (c *Call) HeaderValue(key string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.request.first(strings.ToLower(key))
}

// SetHeader adds values to a key of the header that this end sends: the
// response header in a handler, or the request header in an interceptor of
// outgoing calls before next. The error has CodeInvalidArgument for a key or
// value that cannot be sent, CodeResourceExhausted for more than 256 pairs, and
// CodeFailedPrecondition once the header has been sent.
func (c *Call) SetHeader(key string, values ...string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.headerSent {
		return Errorf(CodeFailedPrecondition, "header %q is set too late: the header has been sent", key)
	}
	at := &c.response
	if c.caller != nil {
		at = &c.request
	}
	var err error
	*at, err = (*at).add(key, values)
	return err
}

// SendHeader sends a handler's header at once instead of with the first
// message.
func (c *Call) SendHeader() error {
	if c.caller != nil {
		return Errorf(CodeFailedPrecondition, "SendHeader: only a handler can send a header")
	}
	header, sent := c.shareHeader()
	if sent {
		return nil
	}
	return c.streamError(c.callee.sendHeader(c.ctx, header))
}

// shareHeader is takeHeader for a goroutine that may outlive the handler.
func (c *Call) shareHeader() (header headerBlock, sent bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shared = c.shared || !c.headerSent
	return c.markHeaderSent()
}

// isShared reports whether a goroutine of the application may still use the
// stream. None starts to once the header is sent.
func (c *Call) isShared() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shared
}

// streamError turns an error of the stream into the error for the handler.
func (c *Call) streamError(err error) error {
	if err == nil || isEnd(err) {
		return err
	}
	if ctxErr := c.ctx.Err(); ctxErr != nil {
		return transportError(ctxErr)
	}
	return notEOF(transportError(err))
}

// sendHeaderIfAny sends the response header before the first message or the
// status, if it is not empty.
func (c *Call) sendHeaderIfAny() error {
	header, sent := c.takeHeader()
	if sent || header.encoding == "" && header.metadata.count() == 0 {
		return nil
	}
	return c.streamError(c.callee.sendHeader(c.ctx, header))
}

// takeHeader returns the response header, and whether it was sent before.
func (c *Call) takeHeader() (header headerBlock, sent bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.markHeaderSent()
}

// markHeaderSent is takeHeader; mu is held.
func (c *Call) markHeaderSent() (header headerBlock, sent bool) {
	sent, c.headerSent = c.headerSent, true
	return headerBlock{encoding: c.encoding, metadata: c.response}, sent
}

// SetTrailer adds values to a key of the trailer, which is sent with a
// handler's status. Its errors are those of SetHeader. It fails once the
// handler has returned.
func (c *Call) SetTrailer(key string, values ...string) error {
	if c.caller != nil {
		return Errorf(CodeFailedPrecondition, "SetTrailer: only a handler can set a trailer")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return Errorf(CodeFailedPrecondition, "trailer %q is set too late: the call has ended", key)
	}
	var err error
	c.trailer, err = c.trailer.add(key, values)
	return err
}

// takeTrailer returns the response trailer, which no longer changes.
func (c *Call) takeTrailer() *pairs {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	return c.trailer
}

// ResponseHeader returns the response header. At the caller's end it waits for
// the header until the call or its context ends.
func (c *Call) ResponseHeader() (Metadata, error) {
	var err error
	switch {
	case c.intercepted != nil:
		err = c.intercepted.waitHeader()
	case c.caller != nil:
		err = c.caller.waitHeader()
	}
	if err != nil {
		return nil, err
	}
	return c.responseHeader(), nil
}

func (c *Call) responseHeader() Metadata {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.response.decode()
}

// responseEncoding returns the compression of the response's marked messages.
func (c *Call) responseEncoding() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.encoding
}

// headerOr returns nil if the response header is known, and err otherwise.
func (c *Call) headerOr(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hasResponse {
		return nil
	}
	return err
}

// setResponse takes the response header. The header may announce only the
// compression that was accepted.
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
		return encodingError([]byte(b.encoding))
	}
	c.hasResponse, c.response, c.encoding = true, b.metadata, b.encoding
	return nil
}

// resetResponse prepares for the response of another attempt.
func (c *Call) resetResponse() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.response, c.encoding, c.trailer, c.hasResponse = nil, "", nil, false
}

// Trailer returns the response trailer. At the caller's end it is empty until
// the call has ended.
func (c *Call) Trailer() Metadata {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.trailer.decode()
}

// Retries returns, at the caller's end, how often the client has retried the
// call: because the server had not processed it, or because of the RetryPolicy.
func (c *Call) Retries() int {
	switch {
	case c.intercepted != nil:
		return c.intercepted.countRetries()
	case c.caller != nil:
		return int(c.caller.retries.opened.Load())
	}
	return 0
}

// IsUnknown reports, at the callee's end, whether the method is not registered
// and the handler of Mux.HandleUnknown serves the call. Then the caller has
// chosen the names of the method and its service.
func (c *Call) IsUnknown() bool { return c.callee != nil && c.callee.isUnknown() }
