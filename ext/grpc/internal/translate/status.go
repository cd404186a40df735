// Package translate puts what both worlds say of a call from one's words into the
// other's: statuses and metadata.
package translate

import (
	"errors"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/rpc"
)

// ToStatus returns the status that err has in grpc's words: OK for nil.
func ToStatus(err error) *status.Status {
	if err == nil {
		return status.New(codes.OK, "")
	}
	e := rpc.StatusOf(err)
	return status.FromProto(&spb.Status{
		Code:    int32(e.Code()),
		Message: e.Message(),
		Details: e.Details(),
	})
}

// FromError returns the end of a call for what a handler of the grpc world has
// returned: nil for nil. As with grpc, a status inside of err keeps its code and
// details, and brings the text of err; what is no status has the code of a context's
// error, or CodeUnknown. An *rpc.Error, also one inside of err, is left as it is.
func FromError(err error) error {
	if err == nil {
		return nil
	}
	s, ok := status.FromError(err)
	if e := (*rpc.Error)(nil); !ok && errors.As(err, &e) {
		return err
	}
	if !ok {
		s = status.FromContextError(err)
	}
	return FromStatus(s)
}

// FromStatus returns a status in parley's words: nil for OK. Its code is CodeUnknown
// if it is none of the 17.
func FromStatus(s *status.Status) error {
	code := rpc.Code(s.Code())
	switch {
	case code == rpc.CodeOK:
		return nil
	case code > rpc.CodeUnauthenticated:
		code = rpc.CodeUnknown
	}
	e := rpc.Errorf(code, "%s", s.Message())
	for _, packed := range s.Proto().GetDetails() {
		e = e.WithDetail(packed)
	}
	return e
}
