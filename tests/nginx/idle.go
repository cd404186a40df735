package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/tests/internal/rig"
	"github.com/parley-rpc/parley/transport"
)

// echo gives each message back, in one long call.
var echo = &rpc.Method{Service: "parley.tests.v1.EchoService", Name: "Echo", ClientStreams: true, ServerStreams: true}

func giveBack(_ context.Context, s rpc.Stream) error {
	for {
		m := new(wrapperspb.UInt64Value)
		if err := s.Recv(m); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err := s.Send(m); err != nil {
			return err
		}
	}
}

// pair is a client, nginx and a server, with one call open.
type pair struct {
	srv    *rpc.Server
	web    *http.Server
	proxy  *nginx
	client *rpc.Client
	call   rpc.Stream
	asked  uint64
	away   atomic.Int64 // how many links were lost
	back   atomic.Int64 // and replaced
}

// connect makes a pair with a keepalive at both ends, behind nginx with a timeout.
func connect(ctx context.Context, keepalive time.Duration, timeout int) (*pair, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	cfg := rpc.WithTransport(transport.Config{Keepalive: keepalive, KeepaliveTimeout: time.Second})
	p := &pair{srv: rpc.NewServer(cfg)}
	p.srv.Register(&rpc.Service{Name: echo.Service, Methods: []rpc.ServiceMethod{{Method: echo, Handler: giveBack}}})
	mux := http.NewServeMux()
	mux.Handle(rig.Path, p.srv)
	p.web = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = p.web.Serve(ln) }() // ends with close
	if p.proxy, err = start(ctx, site{server: ln.Addr().String(), timeout: timeout, shutdown: 1}); err != nil {
		return nil, errors.Join(err, p.web.Close())
	}
	p.client = rpc.NewClient("ws://"+p.proxy.addr+rig.Path, cfg,
		rpc.OnAway(func(*rpc.Conn) { p.away.Add(1) }),
		rpc.OnBack(func(*rpc.Conn) { p.back.Add(1) }))
	if p.call, err = p.client.Open(ctx, echo); err != nil {
		return nil, errors.Join(err, p.close())
	}
	if err := p.ask(); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// ask sends a message on the open call and waits for its answer.
func (p *pair) ask() error {
	p.asked++
	if err := p.call.Send(wrapperspb.UInt64(p.asked)); err != nil {
		return err
	}
	m := new(wrapperspb.UInt64Value)
	if err := p.call.Recv(m); err != nil {
		return err
	}
	if m.Value != p.asked {
		return fmt.Errorf("message %d was answered by %d", p.asked, m.Value)
	}
	return nil
}

func (p *pair) close() error {
	err := errors.Join(p.client.Close(), p.srv.Close(), p.web.Close())
	return errors.Join(err, p.proxy.stop())
}

// silence is how long nobody makes a call.
const silence = 8 * time.Second

// idle is silent for longer than nginx lets pass.
func idle(ctx context.Context, out io.Writer) (err error) {
	p, err := connect(ctx, time.Second, 3)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	pause(ctx, silence)
	if err := p.ask(); err != nil {
		return err
	}
	fmt.Fprintf(out, "keepalive 1 s, proxy_read_timeout 3 s: nothing to say for %v, %d links lost\n", silence, p.away.Load())
	if n := p.away.Load(); n > 0 {
		return fmt.Errorf("%d links were lost", n)
	}
	return nil
}

// idleTooLong has nginx cut the link.
func idleTooLong(ctx context.Context, out io.Writer) (err error) {
	p, err := connect(ctx, 25*time.Second, 2)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	pause(ctx, silence)
	if err := p.ask(); err != nil {
		return err
	}
	fmt.Fprintf(out, "keepalive 25 s, proxy_read_timeout 2 s: nothing to say for %v, %d links lost and %d replaced, the call goes on\n",
		silence, p.away.Load(), p.back.Load())
	if p.back.Load() == 0 {
		return errors.New("no link was lost, so nothing was shown")
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
