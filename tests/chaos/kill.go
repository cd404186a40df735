package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/tests/internal/child"
	"github.com/parley-rpc/parley/tests/internal/load"
	"github.com/parley-rpc/parley/tests/internal/rig"
)

// serveVariable is the environment variable that makes this program the server.
// Its value is the address.
const serveVariable = "PARLEY_CHAOS_SERVE"

const (
	// window is the resume window. A call whose server does not return ends
	// with it.
	window = 5 * time.Second
	// slack is how much later than promised a call may end. The client must
	// notice that its link is lost, and the machine may do other work too.
	slack = 3 * time.Second
	// reconnect is how long after the start of a new server its clients may
	// take to connect. It is the longest delay between two attempts, which
	// grows while there is no server.
	reconnect = 12 * time.Second
)

// serve runs the server that is killed. It ends when in does.
func serve(addr string, in io.Reader, out io.Writer) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	srv := rpc.NewServer(rig.Quick(window)...)
	load.Register(srv, load.NewBook())
	srv.Register(&rpc.Service{Name: never.Service, Methods: []rpc.ServiceMethod{{Method: never, Handler: waitFor}}})
	mux := http.NewServeMux()
	mux.Handle(rig.Path, srv)
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 2 * time.Second}
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

// never is a method that does not respond.
var never = &rpc.Method{Service: "parley.tests.v1.NeverService", Name: "Wait"}

func waitFor(ctx context.Context, _ rpc.Stream) error {
	<-ctx.Done()
	return ctx.Err()
}

// victim is a client whose server is killed.
type victim struct {
	client *rpc.Client
	seed   uint64
	killed chan struct{} // closed when the server has ended
	calls  sync.WaitGroup

	mu       sync.Mutex
	ends     []time.Time // of calls that have ended with UNAVAILABLE
	answered []time.Time // by the server just before its end; or by the next one, if it certainly had not seen the call
	fails    []error
}

// waiting is how many calls of a victim wait for a response that does not come.
// busy is how many exchange messages.
const (
	waiting = 20
	busy    = 8
)

// begin makes calls that are in flight until the server ends. It returns when
// the server has them.
func (v *victim) begin(ctx context.Context) error {
	for range waiting {
		s, err := v.client.Open(ctx, never)
		if err != nil {
			return err
		}
		if err := errors.Join(s.Send(wrapperspb.Bytes(nil)), s.CloseSend()); err != nil {
			return err
		}
		v.calls.Go(func() { v.ended(s.Recv(new(wrapperspb.BytesValue))) })
	}
	for i := range busy {
		caller := load.Caller{
			Conn:    v.client,
			Book:    load.NewBook(),
			Rand:    rand.New(rand.NewPCG(v.seed, uint64(i))),
			From:    "client",
			Timeout: time.Minute,
			Pace:    time.Millisecond,
		}
		v.calls.Go(func() {
			for n := 0; ; n++ {
				err := caller.Call(ctx, load.Kind((i+n)%4))
				select {
				case <-v.killed:
				default:
					if err == nil {
						continue
					}
				}
				v.ended(err)
				return
			}
		})
	}
	conn, err := v.client.Connect(ctx)
	if err == nil {
		_, err = conn.Ping(ctx)
	}
	return err
}

func (v *victim) ended(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case err == nil:
		v.answered = append(v.answered, time.Now())
	case rpc.CodeOf(err) == rpc.CodeUnavailable:
		v.ends = append(v.ends, time.Now())
	default:
		v.fails = append(v.fails, fmt.Errorf("a call in flight ended with: %w", err))
	}
}

// kill kills a server repeatedly.
func (s settings) kill(ctx context.Context, out io.Writer) error {
	if s.kills == 0 {
		return nil
	}
	server, err := child.Start(serveVariable, "127.0.0.1:0")
	if err != nil {
		return err
	}
	addr := server.Ready
	client := rpc.NewClient("ws://"+addr+rig.Path, rig.QuickClient(window)...)
	defer client.Close() //nolint:errcheck // has nothing in flight
	defer func() { server.Kill() }()
	for n := range s.kills {
		v := &victim{client: client, seed: s.seed + uint64(n), killed: make(chan struct{})}
		if err := v.begin(ctx); err != nil {
			return fmt.Errorf("before kill %d: %w", n+1, err)
		}
		// Every other time no server runs until the session is lost.
		down := 500 * time.Millisecond
		if n%2 == 1 {
			down = window + time.Second
		}
		pause(ctx, 300*time.Millisecond)
		pid, killed := server.PID(), time.Now()
		server.Kill()
		close(v.killed)
		pause(ctx, down)
		back := time.Now()
		if server, err = child.Start(serveVariable, addr); err != nil {
			return err
		}
		if err := v.judge(ctx, out, times{pid, killed, back}); err != nil {
			return err
		}
	}
	return nil
}

// times are when a server ended and the next one started.
type times struct {
	pid          int
	killed, back time.Time
}

// judge waits until the calls in flight have ended and the client has
// reconnected.
func (v *victim) judge(ctx context.Context, out io.Writer, at times) error {
	state := v.client.State()
	for state != rpc.StateReady {
		var err error
		if state, err = v.client.WaitForState(ctx, state); err != nil {
			return fmt.Errorf("the client is not back: %w", err)
		}
	}
	ready := time.Since(at.back)
	done := make(chan struct{})
	go func() {
		v.calls.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(window + slack):
		return errors.New("calls in flight hang")
	}
	last, answered := latest(v.ends, at.killed), latest(v.answered, at.back)
	fmt.Fprintf(out, "server %d killed, down for %.1f s: %d calls in flight ended with UNAVAILABLE, the last after %.1f s, %d were answered; the client had reconnected after %.1f s\n",
		at.pid, at.back.Sub(at.killed).Seconds(), len(v.ends), last.Seconds(), len(v.answered), ready.Seconds())
	bad := append([]error(nil), v.fails...)
	if last > window+slack {
		bad = append(bad, fmt.Errorf("a call ended %v after the server, later than %v", last, window+slack))
	}
	if answered > reconnect {
		bad = append(bad, fmt.Errorf("a call was answered %v after there was a server again, later than %v", answered, reconnect))
	}
	if ready > reconnect {
		bad = append(bad, fmt.Errorf("the client reconnected after %v, later than %v", ready, reconnect))
	}
	return errors.Join(bad...)
}

// latest returns how long after start the last of the times is.
func latest(all []time.Time, since time.Time) (last time.Duration) {
	for _, at := range all {
		last = max(last, at.Sub(since))
	}
	return last
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
