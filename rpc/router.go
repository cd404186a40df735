package rpc

import (
	"context"
	"slices"
)

// Router is a Caller that chooses another for each call, with options before
// those of the call: the server that has a user's data, for example. Its error
// is the status of the call. A call that is made again is routed again only with
// WithReroute.
type Router func(ctx context.Context, m *Method) (Caller, []CallOption, error)

// Open implements Caller.
func (r Router) Open(ctx context.Context, m *Method, opts ...CallOption) (Stream, error) {
	c, opts, err := route(ctx, r, m, opts)
	if err != nil {
		return nil, err
	}
	return c.Open(ctx, m, opts...)
}

// route returns the Caller that makes a call, which is no Router, and the
// options of the call.
func route(ctx context.Context, c Caller, m *Method, opts []CallOption) (Caller, []CallOption, error) {
	for {
		r, ok := c.(Router)
		if !ok {
			return c, opts, nil
		}
		next, more, err := r(ctx, m)
		if err != nil {
			return nil, nil, asError(err)
		}
		if c = next; len(more) > 0 {
			opts = append(slices.Clip(more), opts...)
		}
	}
}
