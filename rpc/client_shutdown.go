package rpc

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/parley-rpc/parley/transport"
)

// errClientShutDown is the status of calls that Shutdown refuses. Another
// client may be able to make them.
var errClientShutDown = Errorf(CodeUnavailable, "the client has shut down")

// Shutdown closes the client in good order: it refuses new calls with
// CodeUnavailable, and returns when the calls in flight, of either end, are
// over. If ctx ends first, the remaining calls fail with CodeUnavailable, and
// Shutdown returns the error of ctx. A context that has ended makes it fail all
// calls at once.
func (c *Client) Shutdown(ctx context.Context) error {
	c.shutDown.Store(true)
	for _, sc := range c.subConns {
		sc.refuse()
	}
	var (
		all sync.WaitGroup
		cut atomic.Bool
	)
	for _, conn := range c.conns.snapshot() {
		all.Go(func() {
			if conn.sess.Shutdown(ctx) != nil {
				cut.Store(true)
			}
		})
	}
	all.Wait()
	if !cut.Load() {
		return c.Close()
	}
	c.end(transport.CloseGoingAway, "client shut down")
	return ctx.Err()
}

// refuse makes the subConn refuse calls and dial no more.
func (sc *subConn) refuse() {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.state = StateShutdown
	sc.cancelDial()
	sc.publish()
}

// closedError returns why a closed client refuses a call.
func (c *Client) closedError() error {
	if c.shutDown.Load() {
		return errClientShutDown
	}
	return errClientClosed
}

// isClosedError reports whether a client has refused a call because it is
// closed.
func isClosedError(err error) bool {
	return errors.Is(err, errClientShutDown) || errors.Is(err, errClientClosed)
}
