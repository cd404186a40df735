package translate_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/parley-rpc/parley/ext/grpc/internal/translate"
	"github.com/parley-rpc/parley/rpc"
)

func TestStatusesAreTheSameThereAndBack(t *testing.T) {
	for code := codes.OK; code <= codes.Unauthenticated; code++ {
		want := &spb.Status{Code: int32(code)}
		if code != codes.OK {
			want.Message = "as " + code.String()
			// A detail whose type this program does not know is not changed.
			want.Details = []*anypb.Any{{TypeUrl: "type.googleapis.com/somebody.Else", Value: []byte{1, 2}}, {}}
		}
		got := translate.ToStatus(translate.FromStatus(status.FromProto(want))).Proto()
		if !proto.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

func TestWhatAHandlerOfGRPCReturnsHasACode(t *testing.T) {
	own := rpc.Errorf(rpc.CodeAborted, "own")
	for _, c := range []struct {
		err  error
		want rpc.Code
		text string
	}{
		{nil, rpc.CodeOK, ""},
		{errors.New("plain"), rpc.CodeUnknown, "plain"},
		{context.DeadlineExceeded, rpc.CodeDeadlineExceeded, "context deadline exceeded"},
		{fmt.Errorf("around: %w", context.Canceled), rpc.CodeCanceled, "around: context canceled"},
		{status.Error(codes.NotFound, "none"), rpc.CodeNotFound, "none"},
		{status.Error(99, "far"), rpc.CodeUnknown, "far"},
		{own, rpc.CodeAborted, "own"},
		{fmt.Errorf("around: %w", own), rpc.CodeAborted, "around: own"},
		{fmt.Errorf("around: %w", status.Error(codes.NotFound, "none")), rpc.CodeNotFound, "around: rpc error: code = NotFound desc = none"}, // as grpc
	} {
		got := translate.FromError(c.err)
		if rpc.CodeOf(got) != c.want {
			t.Errorf("%v became %v", c.err, got)
		}
		if got != nil && rpc.StatusOf(got).Message() != c.text {
			t.Errorf("%v became %q, want %q", c.err, rpc.StatusOf(got).Message(), c.text)
		}
	}
}

func TestErrorsThatAreNoStatusHaveACode(t *testing.T) {
	for _, c := range []struct {
		err  error
		want codes.Code
		text string
	}{
		{nil, codes.OK, ""},
		{errors.New("plain"), codes.Unknown, "plain"},
		{rpc.CodeNotFound, codes.NotFound, "NOT_FOUND"},
		{fmt.Errorf("around: %w", rpc.Errorf(rpc.CodeAborted, "own")), codes.Aborted, "around: own"},
	} {
		if got := translate.ToStatus(c.err); got.Code() != c.want || got.Message() != c.text {
			t.Errorf("%v became %v", c.err, got)
		}
	}
}

// TestRetryLaterMeansTheSameInBothWorlds compares rpc.RetryLater and
// rpc.RetryAfter with gRPC's message for it.
func TestRetryLaterMeansTheSameInBothWorlds(t *testing.T) {
	for _, after := range []time.Duration{0, 1500 * time.Millisecond} {
		details := translate.ToStatus(rpc.RetryLater(after)).Details()
		info, ok := details[0].(*errdetails.RetryInfo)
		if !ok || len(details) != 1 || info.GetRetryDelay() == nil || info.GetRetryDelay().AsDuration() != after {
			t.Errorf("%v became %v", after, details)
		}
		s, err := status.New(codes.ResourceExhausted, "later").WithDetails(&errdetails.DebugInfo{}, &errdetails.RetryInfo{RetryDelay: durationpb.New(after)})
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := rpc.RetryAfter(translate.FromStatus(s)); !ok || got != after {
			t.Errorf("%v became %v, %t", after, got, ok)
		}
	}
}
