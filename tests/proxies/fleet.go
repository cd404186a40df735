//go:build unix

package main

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/tests/internal/load"
	"github.com/parley-rpc/parley/tests/internal/rig"
)

// fleet is the servers behind a proxy. They share the books of the load.
type fleet struct {
	seed    uint64
	opts    []rpc.ServerOption
	small   *load.Book
	large   *load.Book
	begun   chan struct{} // closed when the load begins
	stop    chan struct{} // closed when no more calls are made
	working sync.WaitGroup
	turns   atomic.Uint64
	watch   witnesses

	servers [servers]*server
}

// server is one of them.
type server struct {
	addr string
	rpc  *rpc.Server
	web  *http.Server
	done chan struct{}
}

func newFleet(seed uint64, opts ...rpc.ServerOption) (*fleet, error) {
	f := &fleet{
		seed:  seed,
		opts:  opts,
		small: load.NewBook(),
		large: load.NewLargeBook(),
		begun: make(chan struct{}),
		stop:  make(chan struct{}),
	}
	f.small.Strict, f.large.Strict = true, true
	for i := range f.servers {
		s, err := f.serve("127.0.0.1:0")
		if err != nil {
			return nil, errors.Join(err, f.close())
		}
		f.servers[i] = s
	}
	return f, nil
}

// serve starts a server.
func (f *fleet) serve(addr string) (*server, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &server{addr: ln.Addr().String(), done: make(chan struct{})}
	opts := append([]rpc.ServerOption{
		rpc.WithDrain(rpc.Drain{Spread: drainSpread}),
		rpc.WithLogger(slog.New(slog.DiscardHandler)), // the books record what matters
		rpc.OnConnect(f.callBack),
	}, f.opts...)
	s.rpc = rpc.NewServer(opts...)
	load.Register(s.rpc, f.small)
	load.Register(s.rpc, f.large)
	s.rpc.Register(&rpc.Service{Name: echo.Service, Methods: []rpc.ServiceMethod{{Method: echo, Handler: giveBack}}})
	mux := http.NewServeMux()
	mux.Handle(rig.Path, s.rpc)
	mux.HandleFunc(witnessPath, f.watch.serve)
	s.web = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10}
	go func() {
		_ = s.web.Serve(ln) // ends with close
		close(s.done)
	}()
	return s, nil
}

// addresses returns where the servers listen.
func (f *fleet) addresses() (all []string) {
	for _, s := range f.servers {
		all = append(all, s.addr)
	}
	return all
}

// replace shuts a server down, as a deploy does, and starts another in its
// place.
func (f *fleet) replace(ctx context.Context, i int) error {
	s := f.servers[i]
	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := s.rpc.Shutdown(bounded); err != nil {
		return err
	}
	if err := s.close(); err != nil {
		return err
	}
	next, err := f.serve(s.addr)
	if err == nil {
		f.servers[i] = next
	}
	return err
}

func (s *server) close() error {
	err := errors.Join(s.rpc.Close(), s.web.Close())
	<-s.done
	return err
}

func (f *fleet) close() error {
	var errs []error
	for _, s := range f.servers {
		if s != nil {
			errs = append(errs, s.close())
		}
	}
	return errors.Join(errs...)
}

// book returns the book of the load to which a connection belongs.
func (f *fleet) book(header http.Header) *load.Book {
	if header.Get(loadHeader) == largeLoad {
		return f.large
	}
	return f.small
}

// loadHeader is the header that says to which load a connection belongs.
const (
	loadHeader = "X-Load"
	largeLoad  = "large"
)

// drainSpread is the time over which the clients of a server leave.
const drainSpread = time.Second

const (
	workers     = 2 // calls at once, of each end of each connection
	callTimeout = time.Minute
)

// caller returns a caller that makes calls.
func (f *fleet) caller(c rpc.Caller, b *load.Book, from string) *load.Caller {
	return &load.Caller{
		Conn:    c,
		Book:    b,
		Rand:    rand.New(rand.NewPCG(f.seed, f.turns.Add(1))),
		From:    from,
		Timeout: callTimeout,
		Pace:    20 * time.Millisecond,
	}
}

// callBack makes calls of a server on a connection until that has ended. While
// the connection drains it pauses between calls, because only a connection
// without calls is closed.
func (f *fleet) callBack(c *rpc.Conn) {
	b := f.book(c.Peer().Header)
	for range workers {
		f.working.Go(func() {
			caller := f.caller(c, b, "server")
			caller.Ended = func() bool { return isOver(c) }
			for kind := load.Kind(0); c.Err() == nil && f.goesOn(); kind = (kind + 1) % 4 {
				_ = caller.Call(context.Background(), kind) // the book has it
				if isOver(c) {
					pause(context.Background(), time.Duration(caller.Rand.Int64N(int64(time.Second))))
				}
			}
		})
	}
}

// isOver reports whether a connection has ended, or is about to.
func isOver(c *rpc.Conn) bool {
	select {
	case <-c.Draining():
		return true
	default:
		return c.Err() != nil
	}
}

// goesOn waits until the load has started, and reports whether to make calls.
func (f *fleet) goesOn() bool {
	select {
	case <-f.stop:
		return false
	case <-f.begun:
	}
	select {
	case <-f.stop:
		return false
	default:
		return true
	}
}
