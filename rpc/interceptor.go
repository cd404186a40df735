package rpc

import "slices"

// Interceptor wraps a Handler. One shape serves all kinds of calls at both ends:
// what it does before next happens before the call, the error of next is the
// call's status, and a Stream around s sees each message.
//
// It calls next once at the most, on the goroutine on which it runs. Around an
// outgoing call, next returns when the call has its status and the operation that
// learned of it is done: the rest of the interceptor runs within that Send, Recv
// or Close of the application, or, if a context ends the call meanwhile, on a
// goroutine of its own. A panic of an interceptor there is the application's.
type Interceptor func(next Handler) Handler

// chain wraps h so that the first interceptor is outermost.
func chain(interceptors []Interceptor, h Handler) Handler {
	for i := len(interceptors) - 1; i >= 0; i-- {
		h = interceptors[i](h)
	}
	return h
}

func hasNil(interceptors []Interceptor) bool {
	return slices.ContainsFunc(interceptors, func(i Interceptor) bool { return i == nil })
}
