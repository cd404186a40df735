package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/parley-rpc/parley/rpc"
)

// Exit codes, as the help of the program says.
const (
	exitOK = iota
	exitStatus
	exitUsage
	exitUnreachable
	exitInterrupted
)

// failure is the error of a command, with its exit code.
type failure struct {
	exit int
	err  error
}

func (f failure) Error() string { return f.err.Error() }
func (f failure) Unwrap() error { return f.err }

// usagef returns a failure for a wrong command line.
func usagef(format string, args ...any) error { return failure{exitUsage, fmt.Errorf(format, args...)} }

// report is an error as JSON.
type report struct {
	Exit    int               `json:"exit"`
	Code    string            `json:"code,omitempty"` // of a call's status
	Message string            `json:"message"`
	Details []json.RawMessage `json:"details,omitempty"`
}

// end reports the error of the command, if any, and returns the exit code.
func (p *program) end(err error) int {
	if err == nil {
		return exitOK
	}
	r := report{Exit: exitUsage, Message: oneLine(err.Error())}
	var f failure
	var s *statusError
	var e *rpc.Error
	switch {
	case errors.As(err, &f):
		r.Exit = f.exit
	case errors.As(err, &s):
		r = s.report()
	case errors.As(err, &e):
		r.Exit, r.Code, r.Message = exitStatus, e.Code().String(), oneLine(e.Message())
	}
	if p.json() {
		_ = json.NewEncoder(p.Err).Encode(map[string]report{"error": r}) // words for people
		return r.Exit
	}
	text := r.Message
	if r.Code != "" {
		text = strings.TrimSuffix(r.Code+": "+r.Message, ": ")
	}
	fmt.Fprintln(p.Err, "parley:", text)
	for _, d := range r.Details {
		fmt.Fprintln(p.Err, "  detail:", string(d))
	}
	return r.Exit
}

// oneLine joins the lines of an error.
func oneLine(s string) string {
	lines := strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' })
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "; ")
}
