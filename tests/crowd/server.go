package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/tests/internal/rig"
)

// serveVariable is the environment variable that makes this program the server.
// Its value is the address.
const serveVariable = "PARLEY_CROWD_SERVE"

// echo returns each message of one long call.
var echo = &rpc.Method{Service: "parley.tests.v1.EchoService", Name: "Echo", ClientStreams: true, ServerStreams: true}

func isEnd(err error) bool { return errors.Is(err, io.EOF) }

func giveBack(_ context.Context, s rpc.Stream) error {
	for {
		m := new(wrapperspb.UInt64Value)
		if err := s.Recv(m); err != nil {
			if isEnd(err) {
				return nil
			}
			return err
		}
		if err := s.Send(m); err != nil {
			return err
		}
	}
}

// serve runs the server until in ends.
func serve(addr string, in io.Reader, out io.Writer) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	var conns atomic.Int64
	srv := rpc.NewServer(
		rpc.OnConnect(func(*rpc.Conn) { conns.Add(1) }),
		rpc.OnDisconnect(func(*rpc.Conn, error) { conns.Add(-1) }))
	srv.Register(&rpc.Service{Name: echo.Service, Methods: []rpc.ServiceMethod{{Method: echo, Handler: giveBack}}})
	mux := http.NewServeMux()
	mux.Handle(rig.Path, srv)
	mux.HandleFunc("/conns", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, conns.Load()) })
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10}
	go func() {
		_, _ = io.Copy(io.Discard, in) // ends with the parent
		_ = web.Close()                // so that the process ends
	}()
	fmt.Fprintln(out, ln.Addr())
	if err := web.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return srv.Close()
}

// served asks the server for its number of connections until that is 0, or a
// timeout has passed.
func served(ctx context.Context, addr string) (n int, err error) {
	for began := time.Now(); time.Since(began) < 5*time.Second; pause(ctx, 50*time.Millisecond) {
		res, err := http.Get("http://" + addr + "/conns")
		if err != nil {
			return 0, err
		}
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close() // it has been read
		if err != nil {
			return 0, err
		}
		if n, err = strconv.Atoi(string(text)); err != nil || n == 0 {
			return n, err
		}
	}
	return n, nil
}
