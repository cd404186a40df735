package rpc

import (
	"errors"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
)

// The message google.rpc.RetryInfo. It is encoded by hand, to avoid a
// dependency on its package.
const (
	retryInfoName  protoreflect.FullName = "google.rpc.RetryInfo"
	retryInfoURL                         = "type.googleapis.com/" + string(retryInfoName)
	retryInfoDelay protowire.Number      = 1 // retry_delay, a google.protobuf.Duration
)

// RetryLater returns the error with which a handler asks the caller to make the
// call again after a delay, 0 for at once: the call is neither complete nor
// failed. It has CodeUnavailable and the detail google.rpc.RetryInfo, as in
// gRPC. [Follow] retries by itself; other callers use [RetryAfter].
//
// Use it for an endless stream when its server goes away:
//
//	case <-rpc.Draining(ctx):
//		return rpc.RetryLater(0)
func RetryLater(after time.Duration) *Error {
	text := "retry later"
	if after > 0 {
		text = "retry in " + after.String()
	}
	e := Errorf(CodeUnavailable, "%s", text)
	e.details = []*anypb.Any{{TypeUrl: retryInfoURL, Value: appendRetryInfo(nil, max(after, 0))}}
	return e
}

// RetryAfter reports whether the callee has asked for another call, and after
// which delay: that of the error's first google.rpc.RetryInfo, whatever its
// code. It ignores malformed ones.
func RetryAfter(err error) (after time.Duration, ok bool) {
	var e *Error
	if !errors.As(err, &e) || e == nil {
		return 0, false
	}
	for _, d := range e.details {
		if d.MessageName() != retryInfoName {
			continue
		}
		if after, ok = parseRetryInfo(d.Value); ok {
			return after, true
		}
	}
	return 0, false
}

func appendRetryInfo(b []byte, delay time.Duration) []byte {
	d, err := proto.Marshal(durationpb.New(delay))
	if err != nil {
		return b // a Duration can always be encoded
	}
	b = protowire.AppendTag(b, retryInfoDelay, protowire.BytesType)
	return protowire.AppendBytes(b, d)
}

// parseRetryInfo decodes a RetryInfo. It rejects a negative or invalid delay. A
// delay longer than a time.Duration becomes the longest one.
func parseRetryInfo(b []byte) (delay time.Duration, ok bool) {
	d := new(durationpb.Duration) // a missing delay means 0
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return 0, false
		}
		size := protowire.ConsumeFieldValue(number, kind, b[n:])
		if size < 0 {
			return 0, false
		}
		value := b[n : n+size]
		b = b[n+size:]
		if number != retryInfoDelay || kind != protowire.BytesType {
			continue
		}
		value, _ = protowire.ConsumeBytes(value)
		if err := (proto.UnmarshalOptions{Merge: true}).Unmarshal(value, d); err != nil {
			return 0, false
		}
	}
	if !d.IsValid() || d.Seconds < 0 || d.Nanos < 0 {
		return 0, false
	}
	return d.AsDuration(), true
}
