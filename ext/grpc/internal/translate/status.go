// Package translate converts statuses and metadata between grpc and parley.
package translate

import (
	"errors"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/rpc"
)

// ToStatus returns err as a status of grpc: OK for nil.
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

// FromError converts the error of a grpc handler to the error that ends the
// call: nil for nil. As with grpc, a status inside of err keeps its code and
// details, and has the text of err. An error without a status has the code of a
// context's error, or CodeUnknown. An *rpc.Error, also one inside of err, is
// returned as it is.
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

// FromStatus converts a status: nil for OK. Its code is CodeUnknown if it is
// not one of the 17.
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
