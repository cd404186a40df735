package rpc

import "fmt"

// Raw is an encoded message. Send sends a *Raw as it is. Recv sets a *Raw to a
// copy of the message's bytes, inflated, whatever the call's codec. The copy
// reuses the memory of the *Raw if it is large enough.
type Raw []byte

// rawCodec is the name of a codec that this end does not know. It suffices for
// Raw messages.
type rawCodec string

func (c rawCodec) Name() string { return string(c) }

func (c rawCodec) MarshalAppend([]byte, any) ([]byte, error) { return nil, c.unknown() }

func (c rawCodec) Unmarshal([]byte, any) error { return c.unknown() }

func (c rawCodec) unknown() error {
	return fmt.Errorf("codec %q is not registered: only *rpc.Raw can be sent and received", string(c))
}

// WithRawCodec names the codec of a call whose messages are all Raw. Unlike
// with WithCodecName, the codec need not be known at this end.
func WithRawCodec(name string) CallOption {
	return func(c *callConfig) {
		if !validName(name) && c.err == nil {
			c.err = Errorf(CodeInvalidArgument, "WithRawCodec: invalid name %q", name)
		}
		c.codec, c.raw = name, true
	}
}
