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

// Drain says how a server takes leave of its clients.
type Drain struct {
	// Spread is the time over which clients are told, each at a random moment, and
	// come back. It is at most half of what the context of Shutdown leaves. Default
	// 2 s; a negative one has all come back at once.
	Spread time.Duration
	// Restart says that the server comes back: connections are closed with code 1012
	// instead of 1001.
	Restart bool
}

// WithDrain says how Shutdown takes leave of clients.
func WithDrain(d Drain) ServerOption {
	return serverOption(func(s *Server) { s.drain = d })
}

// Draining returns a channel that is closed when either end of a call's connection
// has announced that it goes away: calls in flight go on, and new ones move to another
// connection. A handler that runs for long ends in good order then, for example with
// RetryLater. It is no cancellation; that comes with ctx, when the time for the drain is
// over. Outside of calls the channel is nil.
func Draining(ctx context.Context) <-chan struct{} {
	if call, ok := CallFromContext(ctx); ok && call.Conn != nil {
		return call.Conn.Draining()
	}
	return nil
}

// farewell is how one connection is taken leave of.
type drainPlan struct {
	delay  time.Duration // before the client is told
	grace  time.Duration // for which it is waited for after that
	code   transport.CloseCode
	reason string
}

// drainGrace is how long a server waits for a client to move. Then calls are refused,
// which clients make again elsewhere.
const drainGrace = 5 * time.Second

// Shutdown ends all connections in good order. New ones are refused with HTTP 503
// and a Retry-After. Clients are told to go elsewhere, handlers by Draining. New calls
// are served until a client has another connection, or its time for that is over;
// later ones fail as ones that can safely be tried elsewhere, which clients do. Calls in
// flight go on. A connection is closed when its calls are over and the client has their
// outcome; one whose link is lost is waited for, as it may be resumed. If ctx ends
// before, the calls that are left fail with CodeUnavailable, their contexts are
// canceled, and Shutdown returns the error of ctx.
//
// http.Server.Shutdown does not know of WebSockets, see the example.
func (s *Server) Shutdown(ctx context.Context) error {
	bye := drainPlan{grace: graceWithin(ctx), code: transport.CloseGoingAway, reason: "the server shuts down"}
	if s.drain.Restart {
		bye.code, bye.reason = transport.CloseServiceRestart, "the server restarts"
	}
	spread := s.drain.spread(ctx)
	var (
		all sync.WaitGroup
		cut atomic.Bool
	)
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

// graceWithin returns how long clients are waited for: at most a quarter of the time
// that ctx leaves.
func graceWithin(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return drainGrace
	}
	return max(min(drainGrace, time.Until(deadline)/4), 1)
}

// spread returns the time over which clients come back.
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

// upTo returns any duration up to most.
func randUpTo(most time.Duration) time.Duration {
	if most <= 0 {
		return 0
	}
	return rand.N(most)
}

// depart takes leave of a connection. If ctx ends first, it returns its error and
// leaves the connection as it is.
func (c *Conn) drain(ctx context.Context, bye drainPlan) error {
	if !c.isEstablished() {
		return nil // nothing has happened on it
	}
	// The server spreads its clients, not the delay of the notice: one that is busy would
	// not wait for that.
	if bye.delay > 0 {
		timer := time.NewTimer(bye.delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.sess.Done():
			return nil
		case <-ctx.Done(): // Drain returns its error, unless the connection is at rest
		}
	}
	if err := c.sess.Drain(ctx, transport.GoAway{Reason: bye.reason}, bye.grace); err != nil {
		return err
	}
	return c.sess.Close(bye.code, bye.reason)
}

// closing reports whether the link of a handshake is not let in any more. While the
// server drains, those are that may resume a connection.
func (s *Server) refusesLinks(r *http.Request) bool {
	return s.conns.isClosed() || s.conns.isDraining() && (s.sessions.Detached() == 0 || !ws.MayResume(r))
}

// refuseClosing answers a handshake that comes too late. Another server may answer the
// next one, so the client is to come back as soon as the header can say.
func (s *Server) refuseDraining(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	http.Error(w, "This server is going away.", http.StatusServiceUnavailable)
}

// turnAway ends a connection that has begun while the server drains: its link was
// let in for it might have resumed another. It runs on the reading goroutine.
func (c *Conn) refuseDraining(s *transport.Session) {
	const reason = "the server takes no new connections"
	_ = s.GoAway(transport.GoAway{Status: uint64(CodeUnavailable), Reason: reason})
	c.e.workers.runFunc(func() { _ = s.Close(transport.CloseServiceRestart, reason) })
}
