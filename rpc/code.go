package rpc

import (
	"context"
	"errors"
	"fmt"
)

// Code is the status code of a call: one of gRPC's 17 codes, with gRPC's
// numbers. It implements error, so that errors.Is(err, rpc.CodeNotFound) works.
type Code uint32

// The codes. Their meanings are gRPC's.
const (
	CodeOK                 Code = 0
	CodeCanceled           Code = 1
	CodeUnknown            Code = 2
	CodeInvalidArgument    Code = 3
	CodeDeadlineExceeded   Code = 4
	CodeNotFound           Code = 5
	CodeAlreadyExists      Code = 6
	CodePermissionDenied   Code = 7
	CodeResourceExhausted  Code = 8
	CodeFailedPrecondition Code = 9
	CodeAborted            Code = 10
	CodeOutOfRange         Code = 11
	CodeUnimplemented      Code = 12
	CodeInternal           Code = 13
	CodeUnavailable        Code = 14
	CodeDataLoss           Code = 15
	CodeUnauthenticated    Code = 16
)

var codeNames = [...]string{
	"OK", "CANCELED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
	"ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
	"ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
	"UNAUTHENTICATED",
}

func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return fmt.Sprintf("CODE_%d", uint32(c))
}

func (c Code) Error() string { return c.String() }

// codeFrom returns the code for a number on the wire.
func codeFrom(n uint64) Code {
	if n > uint64(CodeUnauthenticated) {
		return CodeUnknown
	}
	return Code(n)
}

// CodeOf returns the code of err as the end of a call: CodeOK for nil,
// CodeUnknown for an error without a code, and CodeInternal for an error with
// CodeOK.
func CodeOf(err error) Code {
	if err == nil {
		return CodeOK
	}
	code := CodeUnknown
	var e *Error
	switch {
	case errors.As(err, &e):
		code = CodeInternal // for a nil *Error
		if e != nil {
			code = e.code
		}
	case errors.As(err, &code):
	case errors.Is(err, context.DeadlineExceeded):
		return CodeDeadlineExceeded
	case errors.Is(err, context.Canceled):
		return CodeCanceled
	}
	if code == CodeOK {
		return CodeInternal
	}
	return code
}
