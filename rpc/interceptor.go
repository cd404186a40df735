package rpc

import "slices"

// Interceptor wraps a Handler. One shape serves all kinds of calls at both
// ends: what it does before next happens before the call, the error of next is
// the call's status, and a Stream wrapped around s sees each message.
//
// It calls next at most once, on its own goroutine. For an outgoing call, next
// returns when the call has its status and the operation that received it is
// done: the rest of the interceptor runs within that Send, Recv or Close of the
// application or, if a context ends the call in between, on a separate
// goroutine. There, a panic of an interceptor is not recovered.
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
