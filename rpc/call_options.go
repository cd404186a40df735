package rpc

import "time"

// CallOption configures one call.
type CallOption func(*callConfig)

type callConfig struct {
	metadata    Metadata
	err         error // of the first option that cannot be honoured
	timeout     time.Duration
	hasTimeout  bool
	raw         bool // the codec need not be known
	codec       string
	compression string
	header      *Metadata
	trailer     *Metadata
	waitMode    waitMode
	retryable   bool
	idle        time.Duration
}

// WithMetadata adds values to a key of the request's header. A key or value that
// cannot travel fails the call with CodeInvalidArgument, more than 256 of them with
// CodeResourceExhausted.
func WithMetadata(key string, values ...string) CallOption {
	return func(c *callConfig) {
		if err := c.metadata.add(key, values); err != nil && c.err == nil {
			c.err = err
		}
	}
}

// WithTimeout bounds the call, from its opening to its status, unless the
// context's deadline is earlier.
func WithTimeout(d time.Duration) CallOption {
	return func(c *callConfig) { c.timeout, c.hasTimeout = d, true }
}

// WithCodecName has the call's messages, both ways, encoded by the codec of that
// name: CodecJSON, or one registered with WithCodec at both ends.
func WithCodecName(name string) CallOption {
	return func(c *callConfig) { c.codec, c.raw = name, false }
}

// WithCompression has the call's larger messages, both ways, compressed:
// CompressionGzip, or one registered with WithCompressor at both ends.
func WithCompression(name string) CallOption {
	return func(c *callConfig) { c.compression = name }
}

// ReadHeader has the handler's header stored in *m before the call returns, or,
// for a stream, before its first message does.
func ReadHeader(m *Metadata) CallOption {
	return func(c *callConfig) { c.header = m }
}

// ReadTrailer has the handler's trailer stored in *m before the call returns,
// or, for a stream, before its end does.
func ReadTrailer(m *Metadata) CallOption {
	return func(c *callConfig) { c.trailer = m }
}

// WithWaitForReady has the call wait for a connection, for as long as its deadline
// allows, instead of failing while there is none (see Client.Open). It still fails
// if the server refuses this client: if the attempt to connect fails with another
// code than CodeUnavailable.
func WithWaitForReady() CallOption {
	return func(c *callConfig) { c.waitMode = waitForReady }
}

// WithIdleTimeout ends the call with CodeDeadlineExceeded when no message has moved
// in either direction for d, from its opening on: none was sent, and none was
// received by the application. It is looked at four times in d, so the call ends
// after 5/4 of d at the latest. 0 means no such limit.
func WithIdleTimeout(d time.Duration) CallOption {
	return func(c *callConfig) { c.idle = d }
}

// WithRetryable has the client's RetryPolicy count for the call whatever its .proto says
// of the method: a second call does no harm.
func WithRetryable() CallOption {
	return func(c *callConfig) { c.retryable = true }
}
