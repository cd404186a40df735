package examples_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// userOf stands for how a program authenticates its requests.
func userOf(r *http.Request) string {
	c, err := r.Cookie("login")
	if err != nil {
		return ""
	}
	return users[c.Value]
}

func Example_middleware() {
	srv := rpc.NewServer()
	pingv1parley.RegisterPingServiceServer(srv, greeter{})
	defer srv.Close()
	web := httptest.NewServer(withUser(srv))
	defer web.Close()
	client := rpc.NewClient("ws"+strings.TrimPrefix(web.URL, "http"), rpc.WithHTTPHeader(cookie("open sesame")))
	defer client.Close()
	res, err := pingv1parley.NewPingServiceClient(client).Ping(context.Background(), &pingv1.PingRequest{Text: "hello"})
	fmt.Println(res.GetText(), err)
	// Output: hello, ada <nil>
}

func cookie(login string) http.Header { return http.Header{"Cookie": {"login=" + login}} }

//snippet:withUser
func withUser(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user := userOf(r) // as for any other request
		next.ServeHTTP(w, r.WithContext(rpc.WithPrincipal(r.Context(), user)))
	})
}

//snippet:end

// claims are the contents of a token.
type claims struct {
	user    string
	expires time.Time
}

// verify checks a token.
func verify(token string) (claims, error) {
	user, ok := users[token]
	if !ok {
		return claims{}, rpc.Errorf(rpc.CodeUnauthenticated, "this server wants a token")
	}
	return claims{user, time.Now().Add(time.Hour)}, nil
}

//snippet:expiry
func authenticateForAWhile(r *http.Request) (context.Context, error) {
	c, err := verify(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	if err != nil {
		return nil, err
	}
	return rpc.WithExpiry(rpc.WithPrincipal(r.Context(), c.user), c.expires), nil
}

//snippet:end

func Example_expiry() {
	srv := rpc.NewServer(rpc.WithAuthentication(authenticateForAWhile))
	pingv1parley.RegisterPingServiceServer(srv, greeter{})
	url, stop := start(srv)
	defer stop()
	client := rpc.NewClient(url, rpc.WithHTTPHeader(http.Header{"Authorization": {"Bearer open sesame"}}))
	defer client.Close()
	res, err := pingv1parley.NewPingServiceClient(client).Ping(context.Background(), &pingv1.PingRequest{Text: "hello"})
	fmt.Println(res.GetText(), err)
	// Output: hello, ada <nil>
}
