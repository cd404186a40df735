package rpc

import (
	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

// headerError is why a call ends whose response header its caller refuses. The
// peer has answered, so the call is not made again.
type headerError struct{ status *Error }

func (e *headerError) Error() string { return e.status.Error() }

// headerCheckFor returns the check of response headers for a caller that
// accepts one encoding, "" for none. The transport calls it when the header
// arrives, so a call with a bad one ends at once, also while the caller sends.
func headerCheckFor(accepted string) transport.HeaderCheck {
	if accepted == "" {
		return checkPlainHeader // needs no memory, unlike the closure
	}
	return func(p []byte) error { return checkHeader(p, accepted) }
}

func checkPlainHeader(p []byte) error { return checkHeader(p, "") }

// checkHeader is the part of setResponse that can fail. It stores nothing.
func checkHeader(p []byte, accepted string) error {
	var encoding []byte
	err := parseBlock(p, func(f frame.Field) error {
		switch f.Key {
		case keyEncoding:
			encoding = f.Bytes
		case keyMetadata:
			_, err := checkPairField(f.Bytes)
			return err
		}
		return nil
	})
	switch {
	case err != nil:
		return &headerError{blockError("header from the peer", err)}
	case len(encoding) > 0 && string(encoding) != accepted:
		return &headerError{encodingError(encoding)}
	}
	return nil
}

// encodingError returns the status for a response in an encoding that the
// caller has not accepted.
func encodingError(encoding []byte) *Error {
	return Errorf(CodeInternal, "the response is compressed with %.200q, which was not negotiated", encoding)
}
