package rpc

import (
	"log/slog"
	"runtime/debug"
)

// handlerFailure returns the status of a call whose handler has not returned: r
// is the value of its panic, or nil if it has called runtime.Goexit. That is
// logged and not sent.
func handlerFailure(m *Method, r any, log func(msg string, more ...slog.Attr)) error {
	method := slog.String("method", m.Path())
	if r == nil {
		log("parley: handler called runtime.Goexit", method)
	} else {
		log("parley: handler panicked", method, slog.Any("panic", r), slog.String("stack", string(debug.Stack())))
	}
	return Errorf(CodeInternal, "handler of %s panicked", m.Path())
}
