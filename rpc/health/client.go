package health

import (
	"context"
	"iter"

	healthv1 "github.com/parley-rpc/parley/gen/parley/health/v1"
	"github.com/parley-rpc/parley/rpc"
)

// Client asks the peer for its health.
type Client struct{ caller rpc.Caller }

// NewClient returns a client whose calls go through c: an *rpc.Client or an
// *rpc.Conn.
func NewClient(c rpc.Caller) *Client { return &Client{c} }

// Check returns the status of a service, or of the server as a whole for "".
// The error has CodeNotFound for a service without a status, and
// CodeUnimplemented for a server without the health service.
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

// Watch makes a call and ranges over the present status of a service and its
// changes. A slow loop may miss a status that has passed. Leaving the loop ends
// the call. Otherwise the last item is an error: CodeUnavailable if the server
// or its connection goes away, which does not concern the service. Watch again
// in that case.
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
		yield(Unknown, rpc.Errorf(rpc.CodeUnavailable, "the server ended the watch"))
	}
}
