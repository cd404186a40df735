package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/rpc/reflection"
	"github.com/parley-rpc/parley/tests/internal/rig"
	"github.com/parley-rpc/parley/transport/ws"
)

// serveVariable is the environment variable that makes this program the server.
// Its value is the address.
const serveVariable = "PARLEY_ATTACK_SERVE"

// The methods of the server.
var (
	echo = &rpc.Method{Service: "parley.tests.v1.TargetService", Name: "Echo"}
	pour = &rpc.Method{Service: "parley.tests.v1.TargetService", Name: "Pour", ServerStreams: true}
	take = &rpc.Method{Service: "parley.tests.v1.TargetService", Name: "Take", ClientStreams: true}
	talk = &rpc.Method{Service: "parley.tests.v1.TargetService", Name: "Talk", ClientStreams: true, ServerStreams: true}
)

func giveBack(_ context.Context, m *wrapperspb.BytesValue) (*wrapperspb.BytesValue, error) {
	return m, nil
}

// pourAll sends without end.
func pourAll(_ context.Context, _ *wrapperspb.BytesValue, out rpc.Sender[wrapperspb.BytesValue]) error {
	m := wrapperspb.Bytes(make([]byte, 32<<10))
	for {
		if err := out.Send(m); err != nil {
			return err
		}
	}
}

// takeAll receives all messages.
func takeAll(_ context.Context, in rpc.Receiver[wrapperspb.BytesValue]) (*wrapperspb.BytesValue, error) {
	for _, err := range in.All() {
		if err != nil {
			return nil, err
		}
	}
	return new(wrapperspb.BytesValue), nil
}

// giveAllBack sends each message back.
func giveAllBack(_ context.Context, in rpc.Receiver[wrapperspb.BytesValue], out rpc.Sender[wrapperspb.BytesValue]) error {
	for m, err := range in.All() {
		if err != nil {
			return err
		}
		if err := out.Send(m); err != nil {
			return err
		}
	}
	return nil
}

// unknownUser is a user without valid credentials.
const unknownUser = "nobody"

// byName trusts the name that a client gives. A client without a name is
// anonymous.
func byName(r *http.Request) (context.Context, error) {
	name, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case !ok:
		name = "anybody"
	case name == unknownUser:
		return nil, rpc.Errorf(rpc.CodeUnauthenticated, "nobody is not let in")
	}
	return rpc.WithPrincipal(r.Context(), name), nil
}

// handshakeTimeout bounds how long an HTTP request may take to arrive.
const handshakeTimeout = 2 * time.Second

// serve runs the server that is attacked: "address", or "address attack". All
// limits are the defaults, except those that the attack sets. It ends when in
// does.
func serve(what string, in io.Reader, out io.Writer) error {
	addr, name, _ := strings.Cut(what, " ")
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	options := []rpc.ServerOption{rpc.WithLogger(slog.New(slog.DiscardHandler)), rpc.WithAuthentication(byName)}
	if a, ok := named(name); ok {
		options = append(options, a.server...)
	}
	srv := rpc.NewServer(options...)
	reflection.Register(srv)
	srv.Register(&rpc.Service{Name: echo.Service, Methods: []rpc.ServiceMethod{
		{Method: echo, Handler: rpc.UnaryHandler(giveBack)},
		{Method: pour, Handler: rpc.ServerStreamHandler(pourAll)},
		{Method: take, Handler: rpc.ClientStreamHandler(takeAll)},
		{Method: talk, Handler: rpc.BidiHandler(giveAllBack)},
	}})
	mux := http.NewServeMux()
	mux.Handle(rig.Path, srv)
	web := &http.Server{Handler: mux, ReadHeaderTimeout: handshakeTimeout, MaxHeaderBytes: 32 << 10}
	go func() {
		_, _ = io.Copy(io.Discard, in) // ends with the parent
		_ = web.Close()                // so that the process ends
	}()
	fmt.Fprintln(out, ln.Addr())
	if err := web.Serve(ws.Pace(web, ln)); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return srv.Close()
}
