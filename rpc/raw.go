package rpc

import "fmt"

// Raw is a message in its encoded form. A *Raw given to Send is sent as it is, and
// one given to Recv is set to a copy of the message's bytes, inflated, whatever the
// call's codec. The copy takes the place of what is there, in its memory if that
// has room.
type Raw []byte

// rawCodec stands for a codec that this end does not know. Raw messages need no
// more than its name.
type rawCodec string

func (c rawCodec) Name() string { return string(c) }

func (c rawCodec) MarshalAppend([]byte, any) ([]byte, error) { return nil, c.unknown() }

func (c rawCodec) Unmarshal([]byte, any) error { return c.unknown() }

func (c rawCodec) unknown() error {
	return fmt.Errorf("the codec %q is not known here, only *rpc.Raw can be sent and received", string(c))
}

// WithRawCodec names the codec of a call whose messages are all Raw. Unlike that of
// WithCodecName it need not be known at this end.
func WithRawCodec(name string) CallOption {
	return func(c *callConfig) {
		if !validName(name) && c.err == nil {
			c.err = Errorf(CodeInvalidArgument, "WithRawCodec: the name %q cannot travel", name)
		}
		c.codec, c.raw = name, true
	}
}
