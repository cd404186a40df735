package rpc_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/parley-rpc/parley/rpc"
)

func TestRouterChoosesACallerForEachCall(t *testing.T) {
	who := func(name string) rpc.Handler {
		return func(_ context.Context, s rpc.Stream) error {
			call := s.Call()
			if got := call.HeaderValue("Tenant") + call.HeaderValue("absent") + call.HeaderValue("key"); got != name+"own" {
				return rpc.Errorf(rpc.CodeInternal, "the header was %q", call.Header())
			}
			return s.Send(text(name))
		}
	}
	servers := map[string]rpc.Caller{}
	for _, name := range []string{"a", "b"} {
		servers[name] = newPair(t, nil, nil, func(srv *rpc.Server) { registerAll(srv, who(name)) }).client
	}
	byTenant := rpc.Router(func(ctx context.Context, m *rpc.Method) (rpc.Caller, []rpc.CallOption, error) {
		tenant, _ := ctx.Value(routeKey{}).(string)
		if servers[tenant] == nil {
			return nil, nil, errors.New("no such tenant: " + m.Name)
		}
		return servers[tenant], []rpc.CallOption{rpc.WithMetadata("tenant", tenant), rpc.WithMetadata("key", "own")}, nil
	})
	behindAnother := rpc.Router(func(context.Context, *rpc.Method) (rpc.Caller, []rpc.CallOption, error) { return byTenant, nil, nil })
	for _, c := range []rpc.Caller{byTenant, behindAnother} {
		forKinds(t, func(t *testing.T, m *rpc.Method) {
			for _, call := range []func(context.Context, rpc.Caller, *rpc.Method, []string, ...rpc.CallOption) ([]string, error){talk, converse} {
				for name := range servers {
					got, err := call(context.WithValue(t.Context(), routeKey{}, name), c, m, []string{"who"}, rpc.WithMetadata("key", "later"))
					if err != nil || !slices.Equal(got, []string{name}) {
						t.Errorf("%q, %v", got, err)
					}
				}
				_, err := call(t.Context(), c, m, []string{"who"})
				wantError(t, err, rpc.CodeUnknown)
			}
		})
	}
}

type routeKey struct{}
