package rpc

import "context"

// Handler serves one call of any kind. s is the callee's end of the call, and
// the returned error is the call's status. When the handler returns, a Recv of
// s that is waiting on another goroutine fails.
//
// For an interceptor of outgoing calls, a Handler is what the application does
// with its end of the call, from opening it to its status.
type Handler func(ctx context.Context, s Stream) error
