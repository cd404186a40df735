package parleyconnect_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/parley-rpc/parley/rpc"
)

type tenantKey struct{}

// byToken authenticates by the Authorization header.
func byToken(r *http.Request) (context.Context, error) {
	switch name, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); name {
	case "":
		return nil, rpc.Errorf(rpc.CodeUnauthenticated, "say who you are")
	case "broken":
		return nil, errors.New("SECRET")
	case "soon":
		return rpc.WithExpiry(rpc.WithPrincipal(r.Context(), name), time.Now().Add(50*time.Millisecond)), nil
	default:
		// Not derived from the context of the request.
		return context.WithValue(rpc.WithPrincipal(context.Background(), name), tenantKey{}, "t1"), nil
	}
}

func TestEachRequestIsAuthenticated(t *testing.T) {
	url, _ := serve(t, func(ctx context.Context, s rpc.Stream) error {
		if rpc.Principal(ctx) != "ada" || ctx.Value(tenantKey{}) != "t1" {
			t.Errorf("principal %q, tenant %v", rpc.Principal(ctx), ctx.Value(tenantKey{}))
		}
		return echo(ctx, s)
	}, quietly, rpc.WithAuthentication(byToken))
	everywhere(t, url, func(t *testing.T, c *connect.Client, m *rpc.Method) {
		for token, want := range map[string]rpc.Code{"ada": rpc.CodeOK, "": rpc.CodeUnauthenticated, "broken": rpc.CodeUnknown} {
			ctx, info := connect.NewClientContext(t.Context())
			if token != "" {
				info.RequestHeader().Set("Authorization", "Bearer "+token)
			}
			_, err := converse(ctx, c, m, "x")
			if want == rpc.CodeOK {
				if err != nil {
					t.Fatal(err)
				}
				continue
			}
			if e := errorWith(t, err, want); strings.Contains(e.Error(), "SECRET") {
				t.Errorf("the client learns %v", e)
			}
		}
	})
}

func TestACallEndsWithItsCredentials(t *testing.T) {
	url, _ := serve(t, func(ctx context.Context, _ rpc.Stream) error {
		<-ctx.Done()
		return ctx.Err()
	}, rpc.WithAuthentication(byToken))
	everywhere(t, url, func(t *testing.T, c *connect.Client, m *rpc.Method) {
		ctx, info := connect.NewClientContext(t.Context())
		info.RequestHeader().Set("Authorization", "Bearer soon")
		_, err := converse(ctx, c, m, "x")
		wantCode(t, err, rpc.CodeUnauthenticated)
	})
}

func TestAStreamThatWaitsEndsWithItsCredentials(t *testing.T) {
	url, _ := serve(t, echo, rpc.WithAuthentication(byToken))
	for _, p := range protocols {
		for _, m := range []*rpc.Method{upload, bidi} {
			if !p.can(m) {
				continue
			}
			t.Run(p.name+"/"+m.Service, func(t *testing.T) {
				ctx, info := connect.NewClientContext(t.Context())
				info.RequestHeader().Set("Authorization", "Bearer soon")
				s, err := p.client(t, url).CallClientStream(ctx, specOf(m))
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				if err := s.SendHeaders(); err != nil {
					t.Fatal(err)
				}
				wantCode(t, s.Receive(text("")), rpc.CodeUnauthenticated) // it sends nothing, and does not end its messages
			})
		}
	}
}

func TestValuesOfMiddlewareReachHandlers(t *testing.T) {
	srv := rpc.NewServer()
	srv.Register(&rpc.Service{Name: unary.Service, Methods: []rpc.ServiceMethod{{Method: unary, Handler: func(ctx context.Context, s rpc.Stream) error {
		if rpc.Principal(ctx) != "ada" {
			t.Errorf("principal %q", rpc.Principal(ctx))
		}
		return echo(ctx, s)
	}}}})
	url := serveWith(t, srv, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(rpc.WithPrincipal(r.Context(), "ada")))
		})
	})
	if _, err := converse(t.Context(), protocols[0].client(t, url), unary, "x"); err != nil {
		t.Error(err)
	}
}
