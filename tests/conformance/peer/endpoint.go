package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/parley-rpc/parley/rpc"
	conformancev1 "github.com/parley-rpc/parley/tests/conformance/gen/conformance/v1"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// drainTimeout bounds how long an endpoint waits for its calls when it drains.
const drainTimeout = 10 * time.Second

// dialer is a client under test.
type dialer struct {
	calls
	client *rpc.Client
}

func connect(c *conformancev1.Connect, reports *reporter) *dialer {
	mux := rpc.NewMux()
	register(mux, reports)
	opts := []rpc.ClientOption{options(c.GetSettings()), rpc.WithServices(mux)}
	if token := c.GetBearer(); token != "" && reports.program.fault != "no-credential" {
		header := http.Header{"Authorization": {"Bearer " + token}}
		opts = append(opts, rpc.WithCredentials(func(context.Context) (http.Header, error) { return header, nil }))
	}
	if fault := reports.program.fault; fault != "" && fault != "no-credential" {
		opts = append(opts, faultyLinks(fault))
	}
	d := &dialer{client: rpc.NewClient(c.GetUrl(), opts...)}
	d.init(reports, func(context.Context) (rpc.Caller, error) { return d.client, nil })
	d.running.Go(func() { _, _ = d.client.Connect(d.ctx) }) // the calls report why it fails
	return d
}

func (d *dialer) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	_ = d.client.Shutdown(ctx) // the runner sees how it ends
}

func (d *dialer) close() {
	_ = d.client.Close() // the case is over
	d.end()
}

// acceptor is a server under test.
type acceptor struct {
	calls
	server *rpc.Server
	http   *http.Server
	conns  chan *rpc.Conn // the first one
}

func listen(l *conformancev1.Listen, reports *reporter) (endpoint, error) {
	a := &acceptor{conns: make(chan *rpc.Conn, 1)}
	a.init(reports, func(ctx context.Context) (rpc.Caller, error) {
		select {
		case c := <-a.conns:
			a.conns <- c
			return c, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	opts := []rpc.ServerOption{
		options(l.GetSettings()),
		rpc.WithDrain(rpc.Drain{Spread: -1}),
		rpc.WithLimits(rpc.Limits{MaxHandshakesPerSecond: 100_000}),
		rpc.OnConnect(func(c *rpc.Conn) {
			select {
			case a.conns <- c:
			default: // a session that is replaced
			}
		}),
	}
	fault := reports.program.fault
	if fault == "origin" {
		opts = append(opts, rpc.WithOrigins("*"))
	}
	a.server = rpc.NewServer(opts...)
	register(a.server, reports)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a.http = &http.Server{Handler: a.server, ReadHeaderTimeout: 10 * time.Second}
	if fault != "" {
		a.http.Handler = faultyHandler(fault, a.server)
	}
	a.running.Go(func() {
		if err := a.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			reports.fail(err)
		}
	})
	reports.send(&conformancev1.Report{What: &conformancev1.Report_Listening{Listening: &conformancev1.Listening{
		Url: fmt.Sprintf("ws://%s/rpc", listener.Addr()),
	}}})
	return a, nil
}

func (a *acceptor) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	_ = a.server.Shutdown(ctx) // the runner sees how it ends
}

func (a *acceptor) close() {
	_ = a.server.Close() // the case is over
	_ = a.http.Close()
	a.end()
}

// options returns what HELLO is to say.
func options(s *conformancev1.Settings) rpc.Option {
	resumption := rpc.WithoutResumption()
	if w := s.GetResumeWindow(); w != 0 {
		resumption = rpc.WithResumption(rpc.Resumption{
			Window:      time.Duration(w) * time.Millisecond,
			ReplayLimit: int(s.GetReplayLimit()),
		})
	}
	return rpc.Options(resumption, rpc.WithLogger(slog.New(slog.DiscardHandler)), rpc.WithTransport(transport.Parameters{
		MaxFrame:      int(s.GetMaxFrame()),
		MaxMessage:    int(s.GetMaxMessage()),
		MaxHeader:     int(s.GetMaxHeader()),
		MaxStreams:    int(s.GetMaxStreams()),
		InitialWindow: int(s.GetInitialWindow()),
		Keepalive:     time.Duration(s.GetKeepalive()) * time.Millisecond,
	}))
}

// dialWebSocket is what a client with faulty links dials with.
func dialWebSocket(ctx context.Context, url string) (transport.Link, error) {
	d := ws.Dialer{NewSession: true}
	conn, err := d.Dial(ctx, url)
	if err != nil {
		return nil, err
	}
	return conn, nil
}
