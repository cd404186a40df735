package rpc

import "errors"

// Refuse returns an error by which a handler says that it has done nothing for a
// call, because it is not the one to serve it, for example. The call fails with
// CodeUnavailable and the reason, unless its caller makes it again elsewhere: a
// Client on another connection, if it has one, and WithReroute anywhere. That is
// safe for any method. A handler that has sent something must not return it.
func Refuse(reason string) error {
	return &refusal{Errorf(CodeUnavailable, "%s", reason)}
}

// refusal is the error of a handler that has done nothing.
type refusal struct{ status *Error }

func (r *refusal) Error() string { return r.status.Error() }
func (r *refusal) Unwrap() error { return r.status }

// refusalReason returns the text that the peer gets, and whether err is a refusal.
func refusalReason(err error) (string, bool) {
	var r *refusal
	if !errors.As(err, &r) {
		return "", false
	}
	return r.status.message, true
}

// markUnprocessed marks the status of a call whose last attempt, a, has failed,
// if the peer has surely not processed the call.
func markUnprocessed(a *attempt, status error) error {
	var e *Error
	if !a.unprocessed() || !errors.As(status, &e) {
		return status
	}
	marked := *e
	marked.unprocessed = true
	return &marked
}

// refuseUnprocessed makes a refusal of the status of a call that a handler has
// passed on, if the callee has surely not processed it.
func refuseUnprocessed(err error) error {
	var e *Error
	if errors.As(err, &e) && e.unprocessed && e.code == CodeUnavailable {
		return &refusal{e}
	}
	return err
}
