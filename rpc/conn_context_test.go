package rpc_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
)

// middleware puts a user, and a principal unless that is "", into the contexts
// of requests.
func middleware(next http.Handler, user func() string, principal string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(r.Context(), userKey{}, user())
		if principal != "" {
			ctx = rpc.WithPrincipal(ctx, principal)
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func ada() string { return "ada" }

// wantUser makes a call and checks the response of whoami.
func wantUser(t *testing.T, c rpc.Caller, want string) {
	t.Helper()
	if got, err := converse(t.Context(), c, unary, []string{""}); err != nil || got[0] != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}

func TestHandlersSeeWhatMiddlewareHasPutIntoTheContext(t *testing.T) {
	seen := make(chan any, 1)
	srv := rpc.NewServer(rpc.OnConnect(func(c *rpc.Conn) { seen <- c.Context().Value(userKey{}) }))
	register(srv, unary, whoami())
	url, _ := serveWires(t, middleware(srv, ada, ""))
	t.Cleanup(func() { _ = srv.Close() })
	conn := dial(t, url)
	wantUser(t, conn, "ada ")
	if got := <-seen; got != "ada" {
		t.Errorf("OnConnect sees %v", got)
	}
	if conn.Context().Value(userKey{}) != nil || conn.Context().Done() != nil {
		t.Errorf("at the client: %v", conn.Context())
	}
}

func TestTheContextOfTheAuthenticationIsTheOneThatCounts(t *testing.T) {
	for name, c := range map[string]struct {
		auth rpc.Authenticator
		want string
	}{
		"made of the request's": {byToken, "ALICE alice"},
		"nil":                   {func(*http.Request) (context.Context, error) { return nil, nil }, "ada "},
		"another": {func(*http.Request) (context.Context, error) {
			return rpc.WithPrincipal(context.Background(), "bob"), nil
		}, " bob"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := rpc.NewServer(rpc.WithAuthentication(c.auth))
			register(srv, unary, whoami())
			url, _ := serveWires(t, middleware(srv, ada, ""))
			t.Cleanup(func() { _ = srv.Close() })
			wantUser(t, dial(t, url, authorization("alice-token")), c.want)
		})
	}
}

func TestAHandlersContextOutlivesTheRequestOfItsHandshake(t *testing.T) {
	srv := rpc.NewServer()
	register(srv, unary, whoami())
	ctx, cancel := context.WithCancel(context.Background())
	web := httptest.NewUnstartedServer(middleware(srv, ada, ""))
	web.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	web.Start()
	t.Cleanup(func() { _ = srv.Close(); web.Close() })
	conn := dial(t, "ws"+strings.TrimPrefix(web.URL, "http"))
	cancel()
	_ = web.Config.Close()
	wantUser(t, conn, "ada ") // this also shows that its context has not ended
}

func TestAResumedConnectionKeepsTheContextOfItsFirstHandshake(t *testing.T) {
	for _, principal := range []string{"", "p"} {
		var n atomic.Int32
		srv := rpc.NewServer()
		register(srv, unary, whoami())
		url, wires := serveWires(t, middleware(srv, func() string { return strconv.Itoa(int(n.Add(1))) }, principal))
		t.Cleanup(func() { _ = srv.Close() })
		back := make(chan struct{}, 1)
		client := newClient(t, url, resumptions(back))
		wantUser(t, client, "1 "+principal)
		wires.cut()
		<-back
		wantUser(t, client, "1 "+principal)
		if n.Load() != 2 {
			t.Errorf("%d handshakes", n.Load())
		}
	}
}

// TestAPrincipalOfMiddlewareBindsTheConnection: what handlers know of their
// caller is still true after a resumption.
func TestAPrincipalOfMiddlewareBindsTheConnection(t *testing.T) {
	srv := rpc.NewServer()
	register(srv, unary, rpc.UnaryHandler(func(ctx context.Context, _ *wrapperspb.StringValue) (*wrapperspb.StringValue, error) {
		return text(rpc.Principal(ctx)), nil
	}))
	var who atomic.Value
	who.Store("alice")
	url, wires := serveWires(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		srv.ServeHTTP(w, r.WithContext(rpc.WithPrincipal(r.Context(), who.Load().(string))))
	}))
	t.Cleanup(func() { _ = srv.Close() })
	client := newClient(t, url)
	conn, err := client.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wantUser(t, conn, "alice")
	who.Store("mallory")
	wires.cut()
	<-conn.Done() // it is not resumed
	got, err := rpc.CallUnary[wrapperspb.StringValue, wrapperspb.StringValue](t.Context(), client, unary, text(""), rpc.WithWaitForReady())
	if err != nil || got.Value != "mallory" {
		t.Errorf("%v, %v", got, err)
	}
}
