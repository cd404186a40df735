package rpc

import "time"

// CallOption configures one call.
type CallOption func(*callConfig)

type callConfig struct {
	metadata    Metadata
	err         error // of the first option that cannot be honoured
	timeout     time.Duration
	hasTimeout  bool
	codec       string
	compression string
	header      *Metadata
	trailer     *Metadata
}

// WithMetadata adds values to a key of the request's header. A key or value that
// cannot travel fails the call with CodeInvalidArgument.
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
	return func(c *callConfig) { c.codec = name }
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
