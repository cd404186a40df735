package translate_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/parley-rpc/parley/ext/grpc/internal/translate"
	"github.com/parley-rpc/parley/rpc"
)

func TestStatusesAreTheSameThereAndBack(t *testing.T) {
	for code := codes.OK; code <= codes.Unauthenticated; code++ {
		want := &spb.Status{Code: int32(code)}
		if code != codes.OK {
			want.Message = "as " + code.String()
			// A detail whose type this program does not know stays what it is.
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
		{fmt.Errorf("around: %w", own), rpc.CodeAborted, "own"},
	} {
		got := translate.FromError(c.err)
		if rpc.CodeOf(got) != c.want {
			t.Errorf("%v became %v", c.err, got)
		}
		var e *rpc.Error
		if errors.As(got, &e) && e.Message() != c.text {
			t.Errorf("%v became %q, want %q", c.err, e.Message(), c.text)
		}
	}
}

func TestErrorsThatAreNoStatusHaveACode(t *testing.T) {
	for _, c := range []struct {
		err  error
		want codes.Code
	}{
		{nil, codes.OK},
		{errors.New("plain"), codes.Unknown},
		{rpc.CodeNotFound, codes.NotFound},
	} {
		if got := translate.ToStatus(c.err); got.Code() != c.want {
			t.Errorf("%v became %v", c.err, got)
		}
	}
}
