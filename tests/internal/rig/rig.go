// Package rig connects a server and clients over real sockets. Both ends call
// each other with the load of package load.
package rig

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/tests/internal/load"
	"github.com/parley-rpc/parley/transport"
)

// Config describes the load.
type Config struct {
	Seed    uint64
	Workers int // calls at once, of each end of each connection
	Timeout time.Duration
	GiveUp  int // percent of calls
	Pace    time.Duration
	Window  time.Duration // for resumption; 0: the default
	Leave   bool          // clients leave while calls are in flight
	Book    *load.Book    // of the load; nil: a book of mostly small messages
	Options []rpc.Option  // of both ends, besides those of Quick
}

// Rig is a server and its clients, which call each other. They notice a silent
// link as soon as the settings allow.
type Rig struct {
	Book *load.Book
	Addr string // of the server

	cfg     Config
	srv     *rpc.Server
	web     *http.Server
	turns   atomic.Uint64
	working sync.WaitGroup
	serving sync.WaitGroup

	ctx    context.Context // of the calls
	cancel context.CancelFunc
	begun  chan struct{} // closed by Begin
	stop   chan struct{} // closed by Finish

	mu        sync.Mutex
	finishing bool // no goroutine may start

	resumed      atomic.Int64 // as the clients see it
	sessionsLost atomic.Int64 // sessions that were not resumed
	mostUnacked  atomic.Int64 // bytes that a session had not seen acknowledged when its link was lost
}

// Path is where servers of the tests are mounted.
const Path = "/rpc"

// New starts a server on a free port of the loopback interface.
func New(cfg Config) (*Rig, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Rig{
		Book:  cfg.Book,
		Addr:  ln.Addr().String(),
		cfg:   cfg,
		begun: make(chan struct{}),
		stop:  make(chan struct{}),
	}
	if r.Book == nil {
		r.Book = load.NewBook()
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	options := append(Quick(cfg.Window), rpc.OnConnect(func(c *rpc.Conn) {
		r.work(c, "server", func() bool { return c.Err() != nil })
	}))
	for _, o := range cfg.Options {
		options = append(options, o)
	}
	r.srv = rpc.NewServer(append(options, rpc.OnDetached(r.noteDetached))...)
	load.Register(r.srv, r.Book)
	mux := http.NewServeMux()
	mux.Handle(Path, r.srv)
	r.web = &http.Server{Handler: mux, ReadHeaderTimeout: handshakeTimeout}
	r.serving.Go(func() { _ = r.web.Serve(ln) }) // ends with Close
	return r, nil
}

// handshakeTimeout is short, because handshakes are broken too.
const handshakeTimeout = 2 * time.Second

// Transport notices a silent link within two seconds.
func Transport(window time.Duration) transport.Parameters {
	return transport.Parameters{
		Keepalive:        time.Second,
		KeepaliveTimeout: time.Second,
		HelloTimeout:     handshakeTimeout,
		ResumeWindow:     window,
	}
}

// Quick returns the options of a server that notices a silent link soon.
func Quick(window time.Duration) []rpc.ServerOption {
	return []rpc.ServerOption{rpc.WithTransport(Transport(window)), rpc.WithHandshakeTimeout(handshakeTimeout)}
}

// QuickClient returns the same options for a client.
func QuickClient(window time.Duration) []rpc.ClientOption {
	return []rpc.ClientOption{rpc.WithTransport(Transport(window)), rpc.WithHandshakeTimeout(handshakeTimeout)}
}

// Client connects to the server, or to a proxy in front of it. It makes calls
// from Begin on, and must be closed after Finish.
func (r *Rig) Client(ctx context.Context, addr string) (*rpc.Client, error) {
	services := rpc.NewMux()
	load.Register(services, r.Book)
	options := append(QuickClient(r.cfg.Window),
		rpc.WithServices(services),
		rpc.OnDetached(r.noteDetached),
		rpc.OnResumed(func(*rpc.Conn) { r.resumed.Add(1) }),
		rpc.OnSessionLost(func(*rpc.Conn, error) { r.sessionsLost.Add(1) }))
	for _, o := range r.cfg.Options {
		options = append(options, o)
	}
	c := rpc.NewClient("ws://"+addr+Path, options...)
	conn, err := c.Connect(ctx)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if _, err := conn.Ping(ctx); err != nil { // from now on the session can be resumed
		return nil, errors.Join(err, c.Close())
	}
	r.work(c, "client", func() bool { return c.State() == rpc.StateShutdown })
	return c, nil
}

// work makes calls on a connection.
func (r *Rig) work(c rpc.Caller, from string, gone func() bool) {
	if !r.cfg.Leave {
		gone = nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.finishing {
		return
	}
	for range r.cfg.Workers {
		r.working.Go(func() {
			select {
			case <-r.begun:
			case <-r.stop:
				return
			}
			caller := load.Caller{
				Conn:    c,
				Book:    r.Book,
				Rand:    rand.New(rand.NewPCG(r.cfg.Seed, r.turns.Add(1))),
				From:    from,
				Timeout: r.cfg.Timeout,
				GiveUp:  r.cfg.GiveUp,
				Pace:    r.cfg.Pace,
				Ended:   gone,
			}
			caller.Run(r.ctx, r.stop)
		})
	}
}

// Begin starts the load.
func (r *Rig) Begin() { close(r.begun) }

// Finish stops making calls and waits until those in flight are over. When ctx
// ends it cancels them and returns the error of ctx.
func (r *Rig) Finish(ctx context.Context) error {
	r.mu.Lock()
	if !r.finishing {
		r.finishing = true
		close(r.stop)
	}
	r.mu.Unlock()
	done := make(chan struct{})
	go func() {
		r.working.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		r.cancel()
		<-done
		return ctx.Err()
	}
}

// Resumed returns how many times a client's session was resumed.
func (r *Rig) Resumed() int64 { return r.resumed.Load() }

// SessionsLost returns how many sessions of clients were lost.
func (r *Rig) SessionsLost() int64 { return r.sessionsLost.Load() }

// MostUnacknowledged returns how many bytes a session of either end had sent
// that were not acknowledged when its link was lost, at most.
func (r *Rig) MostUnacknowledged() int64 { return r.mostUnacked.Load() }

// noteDetached looks at what a connection has in flight whose link is lost.
func (r *Rig) noteDetached(c *rpc.Conn) {
	n := int64(c.Stats().UnacknowledgedBytes)
	for most := r.mostUnacked.Load(); n > most && !r.mostUnacked.CompareAndSwap(most, n); {
		most = r.mostUnacked.Load()
	}
}

// Close ends the server.
func (r *Rig) Close() {
	r.cancel()
	_ = r.srv.Close() // its calls are over
	_ = r.web.Close() // there is nothing to lose
	r.serving.Wait()
}
