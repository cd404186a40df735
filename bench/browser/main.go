// Command browser is the server that pages are measured against: the
// benchmarks' service by parley and by connect-go, on the same two addresses,
// one without TLS and one with it. It prints the addresses in a line of JSON,
// and ends when its standard input does. web/speed makes the measurements; see
// the README.md beside this file.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"

	"github.com/parley-rpc/parley/bench/internal/report"
	"github.com/parley-rpc/parley/bench/internal/target"
)

// hello is the line that is printed.
type hello struct {
	Plain   string // URLs
	TLS     string
	Go      string // versions
	Connect string
}

func main() {
	err := run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "browser:", err)
		os.Exit(1)
	}
}

// run serves until in ends, which it reads.
func run(args []string, in io.Reader, out, usage io.Writer) error {
	flags := flag.NewFlagSet("browser", flag.ContinueOnError)
	flags.SetOutput(usage)
	site := flags.String("site", "", "serve the files of this `folder` too: the page")
	if err := flags.Parse(args); err != nil {
		return err
	}
	files := http.NotFoundHandler()
	if *site != "" {
		files = http.FileServer(http.Dir(*site))
	}
	handler, stop := target.Web(files)
	defer stop()
	return serve(handler, in, out)
}

// serve serves h at two addresses until in ends, or one of them fails.
func serve(h http.Handler, in io.Reader, out io.Writer) error {
	config, err := throwAwayTLS()
	if err != nil {
		return err
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	secure, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, plain.Close())
	}
	web := &http.Server{Handler: h, TLSConfig: config}
	var failed [3]error
	var serving sync.WaitGroup
	for i, serve := range []func() error{
		func() error { return web.Serve(plain) },
		func() error { return web.ServeTLS(secure, "", "") },
	} {
		serving.Go(func() {
			if err := serve(); !errors.Is(err, http.ErrServerClosed) {
				failed[i] = err
			}
			_ = web.Close() // the other one goes with it
		})
	}
	failed[2] = json.NewEncoder(out).Encode(hello{
		Plain:   "http://" + plain.Addr().String(),
		TLS:     "https://" + secure.Addr().String(),
		Go:      runtime.Version(),
		Connect: report.Version("connectrpc.com/connect/v2"),
	})
	if failed[2] != nil {
		_ = web.Close()
	}
	go func() {
		_, _ = io.Copy(io.Discard, in) // ends with the parent
		_ = web.Close()
	}()
	serving.Wait()
	return errors.Join(failed[:]...)
}
