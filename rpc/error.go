package rpc

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/parley-rpc/parley/transport"
)

// Error is the status of a call that has failed: a code, a message for people,
// and details for programs. Handlers return it and callers get it.
type Error struct {
	code    Code
	message string
	details []*anypb.Any
	cause   error // of Errorf; not sent to the peer

	unprocessed bool // at the caller: the peer has surely not processed the call
}

// Errorf returns an error with a code. As in fmt.Errorf, %w wraps an error: its
// text is sent to the peer, and errors.Is and errors.As find it at this end.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{code: code, message: err.Error(), cause: err}
}

// Code returns the status code of the call.
func (e *Error) Code() Code { return e.code }

// Message returns the text without the code.
func (e *Error) Message() string { return e.message }

// Details returns the details that the peer has attached. UnmarshalNew of each
// returns the message, if its type is linked into the program.
func (e *Error) Details() []*anypb.Any { return e.details }

// WithDetail returns a copy of e with a detail added: an *anypb.Any as it is,
// any other message packed into one. It returns an error with CodeInternal if
// the detail cannot be encoded.
func (e *Error) WithDetail(detail proto.Message) *Error {
	packed, isPacked := detail.(*anypb.Any)
	if !isPacked {
		var err error
		if packed, err = anypb.New(detail); err != nil {
			return Errorf(CodeInternal, "detail %T of error %q: %w", detail, e.message, err)
		}
	}
	c := *e
	c.details = append(c.details[:len(c.details):len(c.details)], packed)
	return &c
}

// Error implements error.
func (e *Error) Error() string {
	if e.message == "" {
		return e.code.String()
	}
	return e.code.String() + ": " + e.message
}

// Is reports whether target is the error's code.
func (e *Error) Is(target error) bool {
	c, ok := target.(Code)
	return ok && c == e.code
}

// Unwrap returns the error of Errorf, with the errors it wraps.
func (e *Error) Unwrap() error { return e.cause }

// StatusOf returns the status that the peer gets for the error that ends a
// call. It is nil for nil, and an *Error itself. For an error that wraps an
// *Error it has that code and details and the whole text, without the wrapped
// code:
//
//	fmt.Errorf("asking the shard eu-3: %w", notFound) // NOT_FOUND: asking the shard eu-3: no row 7
//
// Any other error has the code of CodeOf and its own text.
func StatusOf(err error) *Error {
	if err == nil {
		return nil
	}
	return asError(err)
}

// asError is StatusOf for a non-nil error.
func asError(err error) *Error {
	var e *Error
	switch found := errors.As(err, &e); {
	case found && e == nil:
		return Errorf(CodeInternal, "a nil *rpc.Error was returned as an error")
	case found && e.code != CodeOK:
		return e.within(err)
	}
	return Errorf(CodeOf(err), "%w", err)
}

// within returns e with the text of outer, which is e or wraps it.
func (e *Error) within(outer error) *Error {
	if outer == error(e) { //nolint:errorlint // identity is what matters here
		return e
	}
	text := outer.Error()
	switch {
	case text == "":
		text = e.message
	case e.message != "":
		text = strings.Replace(text, e.Error(), e.message, 1)
	}
	return &Error{code: e.code, message: text, details: e.details, cause: outer}
}

// transportError turns an error of a stream or session into the status of a
// call (PROTOCOL.md, sections "RESET" and "Close codes").
func transportError(err error) error {
	var (
		reset  *transport.ResetError
		closed *transport.CloseError
		limit  *transport.LimitError
		status *Error
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &status):
		return err
	case errors.As(err, &reset):
		return resetError(reset)
	case errors.As(err, &limit):
		return Errorf(CodeResourceExhausted, "%w", err)
	case errors.As(err, &closed):
		return Errorf(closeStatus(closed), "connection ended: %w", err)
	case errors.Is(err, transport.ErrDraining):
		return Errorf(CodeUnavailable, "%w", err)
	case errors.Is(err, transport.ErrConcurrent):
		return Errorf(CodeFailedPrecondition, "%w", err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return Errorf(CodeOf(err), "%w", err)
	}
	return Errorf(CodeInternal, "%w", err)
}

func resetError(r *transport.ResetError) error {
	code := CodeInternal
	switch r.Code {
	case transport.ResetCancel:
		code = CodeCanceled
	case transport.ResetRefused:
		code = CodeUnavailable
	case transport.ResetLimit:
		code = CodeResourceExhausted
	default:
		if r.Code >= transport.ResetApplication {
			code = codeFrom(uint64(r.Code - transport.ResetApplication))
		}
		if code == CodeOK {
			code = CodeUnknown
		}
	}
	return Errorf(code, "%w", r)
}

// closeStatus is the column "callers see" of the table of close codes.
func closeStatus(c *transport.CloseError) Code {
	switch c.Code {
	case transport.CloseNormal:
		return CodeCanceled
	case transport.CloseProtocolError, transport.CloseUnsupportedData, transport.CloseInvalidPayload, transport.CloseInternalError:
		return CodeInternal
	case transport.ClosePolicyViolation:
		return CodePermissionDenied
	case transport.CloseMessageTooBig:
		return CodeResourceExhausted
	case transport.CloseMandatoryExtension:
		return CodeUnimplemented
	}
	if n := c.Code - transport.CloseRefusal; n > 0 && n <= transport.CloseCode(CodeUnauthenticated) {
		return Code(n)
	}
	return CodeUnavailable
}
