// Command webserver is the server for the tests of the TypeScript client. It
// prints its address and ends when its standard input does.
//
//	/rpc     PingService and HubService; the hub's device is the client that asks
//	/auth    the same for clients with the bearer token "secret"
//	/brief   the same, without resumption
//	/rpc/…   the services of /rpc over HTTP, by ext/connect; /auth/… those of /auth
//	/drain   a POST has /rpc served by a new server, and the one before go away
//	/        the pages of -files
//	/sent    how many messages handlers have sent in streams
//	/open    how many sessions there are, those without a link among them
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/parley-rpc/parley/rpc"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "webserver:", err)
		os.Exit(1)
	}
}

// run serves until in ends.
func run(args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("webserver", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:0", "where to listen")
	files := flags.String("files", "", "a folder of pages to hand out")
	origin := flags.String("origin", "", "pages of this origin may connect")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	s := newSite(*origin, *files)
	web := &http.Server{Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10}
	go func() {
		_, _ = io.Copy(io.Discard, in) // ends with the parent
		_ = web.Close()                // so that the process ends
	}()
	fmt.Fprintln(out, ln.Addr())
	if err := web.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return s.close()
}

// authenticate accepts clients that have the token.
func authenticate(r *http.Request) (context.Context, error) {
	if r.Header.Get("Authorization") != "Bearer secret" {
		return nil, rpc.Errorf(rpc.CodeUnauthenticated, "the token is not the right one")
	}
	return rpc.WithPrincipal(r.Context(), "the one with the token"), nil
}
