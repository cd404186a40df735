package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/tests/internal/rig"
)

// serveVariable is the environment variable that makes this program the server.
// Its value is the number of connections.
const serveVariable = "PARLEY_WORSTCASE_SERVE"

const service = "parley.tests.v1.WorstCaseService"

// The methods of the server.
var (
	hold  = &rpc.Method{Service: service, Name: "Hold", ClientStreams: true, ServerStreams: true}
	drop  = &rpc.Method{Service: service, Name: "Drop", ClientStreams: true, ServerStreams: true}
	sated = &rpc.Method{Service: service, Name: "Sated", ClientStreams: true, ServerStreams: true}
	pour  = &rpc.Method{Service: service, Name: "Pour", ClientStreams: true, ServerStreams: true}
)

// holdAll receives nothing.
func holdAll(ctx context.Context, _ rpc.Stream) error {
	<-ctx.Done()
	return ctx.Err()
}

// dropAll receives messages and keeps none.
func dropAll(_ context.Context, s rpc.Stream) error {
	for {
		if err := s.Recv(new(wrapperspb.BytesValue)); err != nil {
			return err
		}
	}
}

// appetite is how many bytes readThenHold reads. By then its window has grown
// as far as it can.
const appetite = 16 << 20

// readThenHold reads fast, and then stops reading.
func readThenHold(ctx context.Context, s rpc.Stream) error {
	for read := 0; read < appetite; {
		m := new(wrapperspb.BytesValue)
		if err := s.Recv(m); err != nil {
			return err
		}
		read += len(m.GetValue())
	}
	return holdAll(ctx, s)
}

// pourAll sends without end, and receives nothing.
func pourAll(_ context.Context, s rpc.Stream) error {
	m := wrapperspb.Bytes(make([]byte, 8<<10))
	for {
		if err := s.Send(m); err != nil {
			return err
		}
	}
}

// serve runs the server that is attacked. It ends when in does, and collects
// its garbage at each line of in.
func serve(connections string, in io.Reader, out io.Writer) error {
	n, err := strconv.Atoi(connections)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := newSettings(n)
	srv := rpc.NewServer(append(s.options(), rpc.WithLogger(slog.New(slog.DiscardHandler)))...)
	srv.Register(&rpc.Service{Name: service, Methods: []rpc.ServiceMethod{
		{Method: hold, Handler: holdAll}, {Method: drop, Handler: dropAll},
		{Method: sated, Handler: readThenHold}, {Method: pour, Handler: pourAll},
	}})
	mux := http.NewServeMux()
	mux.Handle(rig.Path, srv)
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		for lines := bufio.NewScanner(in); lines.Scan(); {
			runtime.GC()
			fmt.Fprintln(out, "collected")
		}
		_ = web.Close() // so that the process ends, with the parent
	}()
	fmt.Fprintln(out, ln.Addr())
	if err := web.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return srv.Close()
}
