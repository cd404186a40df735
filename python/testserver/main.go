// Command testserver is the server of the Python client's tests. It prints its
// URL, obeys commands on standard input, and ends when that ends.
package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/parley-rpc/parley/examples/pinger"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

const drainTimeout = 10 * time.Second

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "testserver:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	srv, guarded := newServer(), newServer(rpc.WithAuthentication(authenticate))
	defer srv.Close()     //nolint:errcheck // the program ends
	defer guarded.Close() //nolint:errcheck // the program ends
	site := http.NewServeMux()
	site.Handle("/rpc", srv)
	site.Handle("/guarded", guarded)
	site.HandleFunc("/status/{code}", answer)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	web := &http.Server{Handler: site, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		obey(ctx, srv, site)
		_ = web.Close()
	}()
	fmt.Printf("serving ws://%s/rpc\n", listener.Addr())
	if err := web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func newServer(opts ...rpc.ServerOption) *rpc.Server {
	opts = append(opts, rpc.WithDrain(rpc.Drain{Spread: 200 * time.Millisecond}),
		rpc.WithHandlerInterceptors(relay, echo), rpc.WithLogger(slog.New(slog.DiscardHandler)))
	srv := rpc.NewServer(opts...)
	pingv1parley.RegisterPingServiceServer(srv, pinger.Service{})
	return srv
}

// relay makes a call with the metadata "relay" back to the client that made it.
func relay(next rpc.Handler) rpc.Handler {
	return func(ctx context.Context, s rpc.Stream) error {
		call := s.Call()
		if call.HeaderValue("relay") == "" {
			return next(ctx, s)
		}
		return rpc.Forward(ctx, s, call.Conn, rpc.WithoutMetadata("relay"))
	}
}

// echo returns the metadata of a request whose keys begin with "x-" as header
// and as trailer.
func echo(next rpc.Handler) rpc.Handler {
	return func(ctx context.Context, s rpc.Stream) error {
		call := s.Call()
		for key, values := range call.Header() {
			if !strings.HasPrefix(key, "x-") {
				continue
			}
			if err := call.SetHeader(key, values...); err != nil {
				return err
			}
			if err := call.SetTrailer(key, values...); err != nil {
				return err
			}
		}
		return next(ctx, s)
	}
}

// authenticate accepts the tokens of one user.
func authenticate(r *http.Request) (context.Context, error) {
	if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer secret-") {
		return nil, rpc.Errorf(rpc.CodeUnauthenticated, "no token of a user")
	}
	return rpc.WithPrincipal(r.Context(), "user"), nil
}

// answer refuses a handshake with an HTTP status.
func answer(w http.ResponseWriter, r *http.Request) {
	code, err := strconv.Atoi(r.PathValue("code"))
	if err != nil {
		code = http.StatusBadRequest
	}
	w.Header().Set("Location", "/rpc")
	w.WriteHeader(code)
}

// obey executes the commands of standard input until it ends.
func obey(ctx context.Context, srv *rpc.Server, site http.Handler) {
	commands := bufio.NewScanner(os.Stdin)
	for commands.Scan() {
		switch command := commands.Text(); command {
		case "drain":
			go drain(ctx, srv)
		case "tls":
			secure := httptest.NewTLSServer(site)
			defer secure.Close()
			certificate := base64.StdEncoding.EncodeToString(secure.Certificate().Raw)
			fmt.Printf("wss://%s/rpc %s\n", secure.Listener.Addr(), certificate)
		default:
			fmt.Println("unknown", command)
		}
	}
}

// drain ends the server's connections gracefully.
func drain(ctx context.Context, srv *rpc.Server) {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		fmt.Println("drain:", err)
		return
	}
	fmt.Println("drained")
}
