package rpc

import "context"

// Handler serves one call, of any kind. s is the callee's end of it; what the
// handler returns is the call's status. A Recv of s that still waits then, on another
// goroutine, fails.
//
// For an interceptor of outgoing calls a Handler is what the application does
// with its end of the call, from opening it to its status.
type Handler func(ctx context.Context, s Stream) error
