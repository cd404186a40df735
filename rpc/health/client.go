package health

import (
	"context"
	"iter"

	healthv1 "github.com/parley-rpc/parley/gen/parley/health/v1"
	"github.com/parley-rpc/parley/rpc"
)

// Client asks the other end for its health.
type Client struct{ caller rpc.Caller }

// NewClient returns a client whose calls go through c: an *rpc.Client or an
// *rpc.Conn.
func NewClient(c rpc.Caller) *Client { return &Client{c} }

// Check returns the status of a service, "" for the server as a whole. A service
// without one is an error with CodeNotFound, a server without the health service one
// with CodeUnimplemented.
func (c *Client) Check(ctx context.Context, service string, opts ...rpc.CallOption) (Status, error) {
	req := &healthv1.HealthCheckRequest{Service: service}
	res, err := rpc.CallUnary[healthv1.HealthCheckRequest, healthv1.HealthCheckResponse](ctx, c.caller, checkMethod, req, opts...)
	return Status(res.GetStatus()), err
}

// List returns the statuses of all services that have one.
func (c *Client) List(ctx context.Context, opts ...rpc.CallOption) (map[string]Status, error) {
	res, err := rpc.CallUnary[healthv1.HealthListRequest, healthv1.HealthListResponse](ctx, c.caller, listMethod, new(healthv1.HealthListRequest), opts...)
	if err != nil {
		return nil, err
	}
	all := make(map[string]Status, len(res.Statuses))
	for service, one := range res.Statuses {
		all[service] = Status(one.GetStatus())
	}
	return all, nil
}

// Watch makes a call and ranges over the status of a service and what becomes of it.
// The server leaves out what was over before there was room for it. Leaving the loop
// ends the call. Otherwise the last item is an error: CodeUnavailable where the server
// or its connection goes away, which says nothing of the service. Watch again, then.
func (c *Client) Watch(ctx context.Context, service string, opts ...rpc.CallOption) iter.Seq2[Status, error] {
	return func(yield func(Status, error) bool) {
		req := &healthv1.HealthCheckRequest{Service: service}
		updates, err := rpc.CallServerStream[healthv1.HealthCheckRequest, healthv1.HealthCheckResponse](ctx, c.caller, watchMethod, req, opts...)
		if err != nil {
			yield(Unknown, err)
			return
		}
		for res, err := range updates.All() {
			if !yield(Status(res.GetStatus()), err) || err != nil {
				return
			}
		}
		yield(Unknown, rpc.Errorf(rpc.CodeUnavailable, "the server has ended the watch"))
	}
}
