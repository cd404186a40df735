package grpcparley

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/rpc"
)

// callInfo holds the options of a call.
type callInfo struct {
	rpc      []rpc.CallOption
	creds    credentials.PerRPCCredentials
	codec    encoding.CodecV2 // nil: the codec of subtype
	subtype  string           // content subtype, which names the codec; "": the codec's own name
	maxRecv  *int             // bytes of a message; nil: the connection's limit
	maxSend  *int             // bytes of a message; nil: the peer's limit
	compress string           // "": no compression
	accept   []string         // compressions, if accepts
	accepts  bool
	failFast bool

	// Filled in when the call has ended.
	headers  []*metadata.MD
	trailers []*metadata.MD
	peers    []*peer.Peer
	onFinish []func(error)

	few [2]rpc.CallOption // the memory of rpc, if that is enough
}

// rawProto is the codec option of most calls.
var rawProto = rpc.WithRawCodec(rpc.CodecProto)

// CallOptions applies options of package rpc, such as rpc.WithRetryable or
// rpc.WithIdleTimeout, to a call that a stub of grpc makes. The codec is that
// of grpc's options. Connections other than a ClientConn of this package ignore
// CallOptions.
func CallOptions(opts ...rpc.CallOption) grpc.CallOption { return rpcOptions{opts: opts} }

type rpcOptions struct {
	grpc.EmptyCallOption
	opts []rpc.CallOption
}

// read reads the options. Even with an error it finds the functions to be called
// at the end of the call.
func (c *callInfo) read(opts []grpc.CallOption) error {
	c.failFast = true
	c.rpc = c.few[:0]
	var wrong error
	for _, o := range opts {
		if err := c.apply(o); err != nil && wrong == nil {
			wrong = err
		}
	}
	if wrong != nil {
		return wrong
	}
	return c.settle()
}

// apply applies an option. It rejects an unknown option that may have a
// meaning.
func (c *callInfo) apply(o grpc.CallOption) error {
	switch o := o.(type) {
	case grpc.HeaderCallOption:
		return addTo(&c.headers, o.HeaderAddr, "Header")
	case grpc.TrailerCallOption:
		return addTo(&c.trailers, o.TrailerAddr, "Trailer")
	case grpc.PeerCallOption:
		return addTo(&c.peers, o.PeerAddr, "Peer")
	case grpc.OnFinishCallOption:
		if o.OnFinish == nil {
			return refuse("OnFinish(nil)", "there is nothing to call")
		}
		c.onFinish = append(c.onFinish, o.OnFinish)
	case grpc.FailFastCallOption:
		c.failFast = o.FailFast
	case grpc.MaxRecvMsgSizeCallOption:
		c.maxRecv = &o.MaxRecvMsgSize
	case grpc.MaxSendMsgSizeCallOption:
		c.maxSend = &o.MaxSendMsgSize
	case grpc.PerRPCCredsCallOption:
		c.creds = o.Creds
	case grpc.ContentSubtypeCallOption:
		c.subtype = strings.ToLower(o.ContentSubtype)
	case grpc.ForceCodecV2CallOption:
		c.codec = o.CodecV2
		return checkCodec(o.CodecV2)
	case grpc.ForceCodecCallOption:
		c.codec = codecV1{o.Codec}
		return checkCodec(o.Codec)
	case grpc.CustomCodecCallOption:
		c.codec = codecV1{codecV0{o.Codec}}
		return checkCodec(o.Codec)
	case grpc.CompressorCallOption:
		if c.compress = o.CompressorType; c.compress == encoding.Identity {
			c.compress = ""
		}
	case grpc.MaxRetryRPCBufferSizeCallOption:
		return checkRetryBuffer(o.MaxRetryRPCBufferSize)
	case grpc.AuthorityOverrideCallOption:
		return refuse(fmt.Sprintf("CallAuthority(%q)", o.Authority), "the authority is that of the connection's URL")
	case rpcOptions:
		c.rpc = append(c.rpc, o.opts...)
	case grpc.StaticMethodCallOption, grpc.EmptyCallOption: // which tell interceptors something
	default:
		return c.applyOther(o)
	}
	return nil
}

// refuse returns the error for an option that is not honored.
func refuse(option, why string) error {
	return status.Errorf(codes.InvalidArgument, "grpcparley: the call option %s cannot be honored: %s", option, why)
}

// addTo records what is to be filled in.
func addTo[T any](all *[]*T, at *T, option string) error {
	if at == nil {
		return refuse(option+"(nil)", "there is nothing to fill in")
	}
	*all = append(*all, at)
	return nil
}

func checkCodec(codec any) error {
	if codec == nil {
		return refuse("of a codec", "it is nil")
	}
	return nil
}

// retryBuffer is how many bytes of requests a call keeps at most for another
// attempt (rpc.RetryPolicy).
const retryBuffer = 256 << 10

func checkRetryBuffer(size int) error {
	if size < retryBuffer {
		return refuse(fmt.Sprintf("MaxRetryRPCBufferSize(%d)", size), fmt.Sprintf("the bound is %d bytes, no less", retryBuffer))
	}
	return nil
}

// grpcPath is where grpc's own options are from.
var grpcPath = reflect.TypeFor[grpc.EmptyCallOption]().PkgPath()

// applyOther applies an option whose type has no exported name, or that belongs
// to an application and embeds one of grpc's options, which is the one that
// counts.
func (c *callInfo) applyOther(o grpc.CallOption) error {
	v := reflect.ValueOf(o)
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
		if inner, ok := v.Interface().(grpc.CallOption); ok {
			return c.apply(inner)
		}
	}
	if v.Kind() != reflect.Struct {
		return refuse(fmt.Sprintf("%T", o), "its meaning is unknown")
	}
	if v.Type().PkgPath() != grpcPath {
		if inner := embedded(v); inner != nil {
			return c.apply(inner)
		}
	} else if names := v.FieldByName("names"); v.Type().Name() == "acceptCompressorsCallOption" && names.IsValid() && names.Type() == reflect.TypeFor[[]string]() {
		c.accepts = true
		for i := range names.Len() {
			c.accept = append(c.accept, names.Index(i).String())
		}
		return nil
	}
	return refuse(fmt.Sprintf("%T", o), "this version of package grpcparley does not know it")
}

// embedded returns the option that a struct embeds, or nil. Its promoted
// methods make the struct an option.
func embedded(v reflect.Value) grpc.CallOption {
	for i := range v.NumField() {
		f := v.Field(i)
		if !v.Type().Field(i).Anonymous || !f.Type().Implements(reflect.TypeFor[grpc.CallOption]()) {
			continue
		}
		if f.CanInterface() {
			o, _ := f.Interface().(grpc.CallOption)
			return o
		}
		if f.Kind() == reflect.Struct {
			return embedded(f)
		}
	}
	return nil
}

// settle finishes the configuration when all options are known.
func (c *callInfo) settle() error {
	switch {
	case c.codec != nil && c.subtype == "":
		c.subtype = strings.ToLower(c.codec.Name())
	case c.codec == nil && c.subtype == "":
		c.subtype = rpc.CodecProto
	}
	if c.codec == nil {
		if c.codec = codecOf(c.subtype); c.codec == nil {
			return status.Errorf(codes.Internal, "no codec is registered for the content-subtype %q: import the package that does", c.subtype)
		}
	}
	if c.accepts && c.compress != "" && !slices.Contains(c.accept, c.compress) {
		return refuse(fmt.Sprintf("AcceptCompressors(%q)", c.accept), fmt.Sprintf("responses are compressed as the request is, with %q", c.compress))
	}
	if c.subtype == rpc.CodecProto {
		c.rpc = append(c.rpc, rawProto)
	} else {
		c.rpc = append(c.rpc, rpc.WithRawCodec(c.subtype))
	}
	if c.compress != "" {
		c.rpc = append(c.rpc, rpc.WithCompression(c.compress))
	}
	if !c.failFast {
		c.rpc = append(c.rpc, rpc.WithWaitForReady())
	}
	return nil
}
