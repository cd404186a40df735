package rpc_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
)

// echoes answers with the first message of a call, and with what the header has.
func echoes(name string) rpc.Handler {
	return func(_ context.Context, s rpc.Stream) error {
		var msg wrapperspb.StringValue
		if err := s.Recv(&msg); err != nil {
			return err
		}
		return s.Send(text(name + " " + msg.Value + " " + strings.Join(s.Call().Header().Values("to"), "+")))
	}
}

// wrongAtFirst returns a Router that sends calls to one Caller, and those that
// are not processed there to another.
func wrongAtFirst(first, then rpc.Caller) rpc.Router {
	elsewhere := rpc.WithReroute(func(context.Context, *rpc.Method) (rpc.Caller, []rpc.CallOption, error) {
		return then, []rpc.CallOption{rpc.WithoutMetadata("to"), rpc.WithMetadata("to", "second")}, nil
	})
	return func(context.Context, *rpc.Method) (rpc.Caller, []rpc.CallOption, error) {
		return first, []rpc.CallOption{rpc.WithMetadata("to", "first"), elsewhere}, nil
	}
}

// connOf returns the connection of a client.
func connOf(t *testing.T, c *rpc.Client) *rpc.Conn {
	t.Helper()
	conn, err := c.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestACallThatIsRefusedIsMadeWhereItBelongs(t *testing.T) {
	refuses := newPair(t, nil, nil, func(srv *rpc.Server) {
		registerAll(srv, func(context.Context, rpc.Stream) error { return rpc.Refuse("not here") })
	}).client
	serves := newPair(t, nil, nil, func(srv *rpc.Server) { registerAll(srv, echoes("b")) }).client
	passesOn := newPair(t, nil, nil, func(srv *rpc.Server) {
		srv.HandleUnknown(func(ctx context.Context, s rpc.Stream) error { return rpc.Forward(ctx, s, refuses) })
	}).client
	closed := newPair(t, nil, nil, func(*rpc.Server) {}).client
	_ = closed.Close()
	for name, first := range map[string]rpc.Caller{
		"client": refuses, "connection": connOf(t, refuses), "proxy": passesOn, "closed client": closed,
	} {
		for _, then := range []rpc.Caller{serves, connOf(t, serves)} {
			forKinds(t, func(t *testing.T, m *rpc.Method) {
				for _, call := range []func(context.Context, rpc.Caller, *rpc.Method, []string, ...rpc.CallOption) ([]string, error){talk, converse} {
					got, err := call(t.Context(), wrongAtFirst(first, then), m, []string{"x"})
					if err != nil || !slices.Equal(got, []string{"b x second"}) {
						t.Errorf("%s: %q, %v", name, got, err)
					}
				}
			})
		}
	}
}

func TestACallThatIsRefusedEverywhereEnds(t *testing.T) {
	var made atomic.Int64
	refuses := newPair(t, nil, nil, func(srv *rpc.Server) {
		registerAll(srv, func(context.Context, rpc.Stream) error {
			made.Add(1)
			return rpc.Refuse("not here")
		})
	}).client
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		for want, c := range map[int64]rpc.Caller{1: refuses, 5: wrongAtFirst(refuses, refuses)} {
			made.Store(0)
			_, err := talk(t.Context(), c, m, []string{"x"})
			if !errors.Is(err, rpc.CodeUnavailable) || !strings.Contains(err.Error(), "not here") || made.Load() != want {
				t.Errorf("after %d attempts of %d: %v", made.Load(), want, err)
			}
		}
	})
}

func TestAHandlerThatGetsARefusalHasNotRefused(t *testing.T) {
	refuses := newPair(t, nil, nil, func(srv *rpc.Server) {
		registerAll(srv, func(context.Context, rpc.Stream) error { return rpc.Refuse("not here") })
	}).client
	var made atomic.Int64
	asks := newPair(t, nil, nil, func(srv *rpc.Server) {
		registerAll(srv, func(ctx context.Context, _ rpc.Stream) error {
			made.Add(1)
			_, err := talk(ctx, refuses, unary, []string{"x"})
			return err
		})
	}).client
	_, err := talk(t.Context(), wrongAtFirst(asks, asks), unary, []string{"x"})
	if !errors.Is(err, rpc.CodeUnavailable) || made.Load() != 1 {
		t.Errorf("after %d attempts: %v", made.Load(), err)
	}
}

func TestTheErrorOfReroutingIsTheStatus(t *testing.T) {
	refuses := newPair(t, nil, nil, func(srv *rpc.Server) {
		registerAll(srv, func(context.Context, rpc.Stream) error { return rpc.Refuse("not here") })
	}).client
	nowhere := rpc.WithReroute(func(context.Context, *rpc.Method) (rpc.Caller, []rpc.CallOption, error) {
		return nil, nil, rpc.Errorf(rpc.CodeNotFound, "it has left")
	})
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		_, err := talk(t.Context(), refuses, m, []string{"x"}, nowhere)
		wantError(t, err, rpc.CodeNotFound)
	})
}
