package rpc

import (
	"strings"
	"time"
)

// CallOption configures one call.
type CallOption func(*callConfig)

type callConfig struct {
	metadata    *pairs
	err         error // of the first invalid option
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
	reroute     Router
}

// WithMetadata adds values to a key of the request header. A key or value that
// cannot be sent fails the call with CodeInvalidArgument, more than 256 pairs
// with CodeResourceExhausted.
func WithMetadata(key string, values ...string) CallOption {
	return func(c *callConfig) {
		var err error
		if c.metadata, err = c.metadata.add(key, values); err != nil && c.err == nil {
			c.err = err
		}
	}
}

// WithoutMetadata removes the values of keys that earlier options have added to
// the request header, or that Forward passes on.
func WithoutMetadata(keys ...string) CallOption {
	return func(c *callConfig) {
		for _, key := range keys {
			if c.metadata != nil {
				c.metadata.without(strings.ToLower(key))
			}
		}
	}
}

// WithTimeout bounds the call, from its opening to its status, unless the
// context's deadline is earlier.
func WithTimeout(d time.Duration) CallOption {
	return func(c *callConfig) { c.timeout, c.hasTimeout = d, true }
}

// WithCodecName selects the codec for the call's messages in both directions:
// CodecJSON, or a codec that both ends have registered with WithCodec.
func WithCodecName(name string) CallOption {
	return func(c *callConfig) { c.codec, c.raw = name, false }
}

// WithCompression selects the compression for the call's larger messages in
// both directions: CompressionGzip, or one that both ends have registered with
// WithCompressor.
func WithCompression(name string) CallOption {
	return func(c *callConfig) { c.compression = name }
}

// ReadHeader stores the response header in *m before the call returns or, for a
// stream, before its first message is returned.
func ReadHeader(m *Metadata) CallOption {
	return func(c *callConfig) { c.header = m }
}

// ReadTrailer stores the response trailer in *m before the call returns or, for
// a stream, before its end is returned.
func ReadTrailer(m *Metadata) CallOption {
	return func(c *callConfig) { c.trailer = m }
}

// WithWaitForReady makes the call wait for a connection until its deadline,
// instead of failing while there is none (see Client.Open). The call still
// fails if the server refuses this client: if the connection attempt fails with
// another code than CodeUnavailable.
func WithWaitForReady() CallOption {
	return func(c *callConfig) { c.waitMode = waitForReady }
}

// WithIdleTimeout ends the call with CodeDeadlineExceeded when no message was
// sent, or received by the application, for d. The time starts when the call is
// opened. The check runs four times per d, so the call ends after 5/4 of d at
// the latest. 0 means no limit.
func WithIdleTimeout(d time.Duration) CallOption {
	return func(c *callConfig) { c.idle = d }
}

// WithRetryable applies the client's RetryPolicy to the call even if the .proto
// does not mark the method as idempotent. Use it if a second call does no harm.
func WithRetryable() CallOption {
	return func(c *callConfig) { c.retryable = true }
}
