package rpc

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// Drain configures how a server shuts down.
type Drain struct {
	// Spread is the time over which clients are told to move, each at a random
	// moment. It is at most half of the time left in the context of Shutdown.
	// Default 2 s; a negative value tells all clients at once.
	Spread time.Duration
	// Restart means that the server will be back: connections are closed with
	// code 1012 instead of 1001.
	Restart bool
}

// WithDrain configures Shutdown.
func WithDrain(d Drain) ServerOption {
	return serverOption(func(s *Server) { s.drain = d })
}

// Draining returns a channel that is closed when either end of a call's
// connection has announced that it goes away or, for a call that a Bridge
// serves, when the server shuts down: calls in flight go on, and new
// ones move to another connection. A long-running handler should then end its
// call, for example with RetryLater. Draining does not cancel the handler; ctx
// is canceled when the time for the drain is over. Outside of calls the channel
// is nil.
func Draining(ctx context.Context) <-chan struct{} {
	call, ok := CallFromContext(ctx)
	if !ok {
		return nil
	}
	if bridged, ok := call.callee.(*bridgedStream); ok {
		return bridged.e.bridged.draining()
	}
	if call.Conn != nil {
		return call.Conn.Draining()
	}
	return nil
}

// drainPlan describes the drain of one connection.
type drainPlan struct {
	delay  time.Duration // before the client is told
	grace  time.Duration // how long to wait for the client to move
	code   transport.CloseCode
	reason string
}

// drainGrace is how long a server waits for a client to move. After that it
// refuses calls, which clients repeat elsewhere.
const drainGrace = 5 * time.Second

// Shutdown ends all connections gracefully. It refuses new ones with HTTP 503
// and a Retry-After. It tells clients to move, and handlers by Draining. The
// server serves new calls until a client has another connection or its time is
// over. It refuses later calls as unprocessed, so that clients repeat them
// elsewhere. Calls in flight go on. A connection is closed when its calls are
// over and the client has their results. Shutdown also waits for detached
// connections, since they may be resumed, and for the calls of a Bridge, which
// takes no new ones. If ctx ends first, the remaining
// calls fail with CodeUnavailable, their contexts are canceled, and Shutdown
// returns the error of ctx.
//
// http.Server.Shutdown does not know about WebSockets, see the example.
func (s *Server) Shutdown(ctx context.Context) error {
	bye := drainPlan{grace: graceWithin(ctx), code: transport.CloseGoingAway, reason: "the server is shutting down"}
	if s.drain.Restart {
		bye.code, bye.reason = transport.CloseServiceRestart, "the server is restarting"
	}
	spread := s.drain.spread(ctx)
	var (
		all sync.WaitGroup
		cut atomic.Bool
	)
	all.Go(func() {
		if s.bridged.drain(ctx) != nil {
			cut.Store(true)
		}
	})
	for _, c := range s.conns.drain() {
		b := bye
		b.delay = randUpTo(spread)
		all.Go(func() {
			if c.drain(ctx, b) != nil {
				cut.Store(true)
			}
		})
	}
	all.Wait()
	s.close(bye.code, bye.reason)
	servers.remove(s)
	if cut.Load() {
		return ctx.Err()
	}
	return nil
}

// graceWithin returns how long to wait for clients: at most a quarter of the
// time left in ctx.
func graceWithin(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return drainGrace
	}
	return max(min(drainGrace, time.Until(deadline)/4), 1)
}

// spread returns the time over which clients are told to move.
func (d *Drain) spread(ctx context.Context) time.Duration {
	spread := d.Spread
	if spread == 0 {
		spread = 2 * time.Second
	}
	if deadline, ok := ctx.Deadline(); ok {
		spread = min(spread, time.Until(deadline)/2)
	}
	return max(spread, 0)
}

// randUpTo returns a random duration below max.
func randUpTo(most time.Duration) time.Duration {
	if most <= 0 {
		return 0
	}
	return rand.N(most)
}

// drain drains a connection and closes it. If ctx ends first, it returns the
// error of ctx and leaves the connection open.
func (c *Conn) drain(ctx context.Context, bye drainPlan) error {
	if !c.isEstablished() {
		return nil // no call was made on it
	}
	// The server delays the notice itself: a busy client would ignore a delay
	// in the notice.
	if bye.delay > 0 {
		timer := time.NewTimer(bye.delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.sess.Done():
			return nil
		case <-ctx.Done(): // Session.Drain returns its error, unless the connection is idle
		}
	}
	if err := c.sess.Drain(ctx, transport.GoAway{Reason: bye.reason}, bye.grace); err != nil {
		return err
	}
	return c.sess.Close(bye.code, bye.reason)
}

// refusesLinks reports whether the link of a handshake is refused. While the
// server drains, it accepts links that may resume a connection.
func (s *Server) refusesLinks(r *http.Request) bool {
	return s.conns.isClosed() || s.conns.isDraining() && (s.sessions.Detached() == 0 || !ws.MayResume(r))
}

// refuseDraining refuses a handshake at a server that shuts down. Another
// server may answer the next handshake, so Retry-After is as short as possible.
func (s *Server) refuseDraining(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	http.Error(w, "This server is shutting down.", http.StatusServiceUnavailable)
}

// refuseDraining ends a connection that has begun while the server drains. Its
// link was accepted because it could have resumed another connection. It runs
// on the reader goroutine.
func (c *Conn) refuseDraining(s *transport.Session) {
	const reason = "the server accepts no new connections"
	_ = s.GoAway(transport.GoAway{Status: uint64(CodeUnavailable), Reason: reason})
	c.e.workers.runFunc(func() { _ = s.Close(transport.CloseServiceRestart, reason) })
}
