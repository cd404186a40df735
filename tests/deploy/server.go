package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/tests/deploy/gen/deploy/v1/deployv1parley"
	"github.com/parley-rpc/parley/tests/internal/notes"
	"github.com/parley-rpc/parley/tests/internal/port"
	"github.com/parley-rpc/parley/tests/internal/rig"
	"github.com/parley-rpc/parley/transport"
)

// serveVariable is the environment variable that makes this program a server.
// Its value is a serverConfig, in JSON.
const serveVariable = "PARLEY_DEPLOY_SERVE"

// serverConfig is the configuration of a server.
type serverConfig struct {
	Addr    string
	Process int // its number
	Pace    time.Duration
	Count   uint64
	Spread  time.Duration
}

// drainTimeout is how long a server that shuts down waits for its calls.
const drainTimeout = 30 * time.Second

// server is a server process. It calls its clients, with calls of all kinds.
type server struct {
	cfg  serverConfig
	book notes.Book
	ids  *notes.IDs
	stop chan struct{} // closed by rest
	work sync.WaitGroup

	mu      sync.Mutex
	resting bool
}

// serve runs a server process. When in ends it shuts down and prints its
// report. On a line of in it ends its calls to clients, and prints a line when
// that is done.
func serve(config string, in io.Reader, out io.Writer) error {
	s := &server{stop: make(chan struct{})}
	if err := json.Unmarshal([]byte(config), &s.cfg); err != nil {
		return err
	}
	s.ids = notes.NewIDs(s.cfg.Process)
	ln, err := port.Listen(s.cfg.Addr)
	if err != nil {
		return err
	}
	srv := rpc.NewServer(
		rpc.WithDrain(rpc.Drain{Spread: s.cfg.Spread, Restart: true}),
		rpc.OnConnect(s.begin))
	deployv1parley.RegisterNoteServiceServer(srv, notes.Service{Book: &s.book})
	mux := http.NewServeMux()
	mux.HandleFunc(rig.Path, func(w http.ResponseWriter, r *http.Request) {
		came, answer := time.Now(), &watched{ResponseWriter: w}
		srv.ServeHTTP(answer, r)
		s.book.NoteHandshake(came)
		if answer.refused {
			s.book.NoteRefused()
		}
	})
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10}
	served := make(chan error, 1)
	go func() { served <- web.Serve(ln) }()
	fmt.Fprintln(out, ln.Addr())

	lines := bufio.NewScanner(in)
	for lines.Scan() {
		s.rest()
		fmt.Fprintln(out, "rests")
	}
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	err = errors.Join(srv.Shutdown(ctx), web.Shutdown(ctx))
	s.rest()
	if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return errors.Join(err, json.NewEncoder(out).Encode(s.book.Report()))
}

// begin starts calls to a client that has connected.
func (s *server) begin(c *rpc.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.resting {
		s.work.Go(func() { s.call(c) })
	}
}

// rest ends the calls of the server to its clients.
func (s *server) rest() {
	s.mu.Lock()
	if !s.resting {
		s.resting = true
		close(s.stop)
	}
	s.mu.Unlock()
	s.work.Wait()
}

// linger is how long a server goes on calling a client after it has sent
// GOAWAY. Such calls succeed too.
const linger = 500 * time.Millisecond

// call makes calls to a client until the connection drains.
func (s *server) call(c *rpc.Conn) {
	caller := notes.Caller{
		Conn:  c,
		Book:  &s.book,
		IDs:   s.ids,
		Who:   "server",
		Pace:  5 * s.cfg.Pace,
		Count: s.cfg.Count / 2,
	}
	e := ending{conn: c, stop: make(chan struct{})}
	go e.watch(s.stop)
	caller.Work(context.Background(), e.stop, e.excuses)
}

// ending records the end of a connection on which a server makes calls.
type ending struct {
	conn *rpc.Conn
	stop chan struct{} // closed when no more calls are to be made
	done atomic.Int64  // when the connection has ended, in milliseconds of Unix time; 0: it has not
}

func (e *ending) watch(stop <-chan struct{}) {
	defer close(e.stop)
	select {
	case <-e.conn.Draining():
		select {
		case <-time.After(linger):
		case <-e.conn.Done():
		}
	case <-e.conn.Done():
	case <-stop:
		return
	}
	if e.conn.Err() != nil {
		e.done.Store(time.Now().UnixMilli())
	}
}

// moment is how long before its end was noticed a connection may have ended.
const moment = 20 * time.Millisecond

// excuses reports whether a call was not made because its connection had ended
// gracefully. While a connection has streams, calls of the server work.
func (e *ending) excuses(began time.Time, err error) bool {
	var closed *transport.CloseError
	switch stats := e.conn.Stats(); {
	case errors.Is(err, transport.ErrDraining):
		return stats.LocalStreams+stats.RemoteStreams == 0
	case errors.As(err, &closed) && e.conn.Err() != nil:
		done := e.done.Load()
		return done == 0 || began.Add(moment).UnixMilli() >= done
	}
	return false
}
