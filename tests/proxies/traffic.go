//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/tests/internal/load"
	"github.com/parley-rpc/parley/tests/internal/rig"
)

// clients is how many connections there are under load. Every second one has
// large messages. Two of every four make calls that fail fast.
const clients = 8

// traffic is a proxy in front of servers, and clients. Servers and clients call
// each other.
type traffic struct {
	*fleet
	proxy   *instance
	clients []*rpc.Client

	met          atomic.Int64 // connections that were made
	linksLost    atomic.Int64 // links that were lost
	sessionsLost atomic.Int64 // sessions that were lost
	ends         sights       // of connections, as the clients see it

	// A session whose client has moved, and whose link was lost, has no calls.
	// Its server may end before it is resumed.
	idleMayGo bool
}

// arrange starts servers, a proxy and clients. The clients wait for begin.
func arrange(ctx context.Context, k kind, seed uint64) (*traffic, error) {
	f, err := newFleet(seed)
	if err != nil {
		return nil, err
	}
	t := &traffic{fleet: f}
	if t.proxy, err = start(ctx, k, f.addresses(), 0); err != nil {
		return nil, errors.Join(err, f.close())
	}
	for i := range clients {
		if err := t.connect(ctx, i); err != nil {
			return nil, errors.Join(err, t.close())
		}
	}
	return t, nil
}

// connect adds a client, which makes calls once the load has begun.
func (t *traffic) connect(ctx context.Context, i int) error {
	var opts []rpc.ClientOption
	header, book := http.Header{}, t.small
	if i%2 == 1 {
		header.Set(loadHeader, largeLoad)
		book = t.large
	}
	services := rpc.NewMux()
	load.Register(services, t.small)
	load.Register(services, t.large)
	if i/4%2 == 1 { // the others send only the cookies that resuming needs
		jar, err := cookiejar.New(nil)
		if err != nil {
			return err
		}
		opts = append(opts, rpc.WithCookieJar(jar))
	}
	c, err := t.proxy.client(append(opts, rpc.WithServices(services),
		rpc.WithHTTPHeader(header),
		rpc.OnConnect(func(*rpc.Conn) { t.met.Add(1) }),
		rpc.OnDetached(func(*rpc.Conn) { t.linksLost.Add(1) }),
		rpc.OnSessionLost(func(*rpc.Conn, error) { t.sessionsLost.Add(1) }),
		rpc.OnDisconnect(func(_ *rpc.Conn, err error) { t.ends.add(ending(err)) }))...)
	if err != nil {
		return err
	}
	t.clients = append(t.clients, c)
	conn, err := c.Connect(ctx)
	if err != nil {
		return err
	}
	if _, err := conn.Ping(ctx); err != nil { // from now on the session can be resumed
		return err
	}
	for range workers {
		t.working.Go(func() {
			caller := t.caller(c, book, "client")
			caller.FailFast = i/2%2 == 1
			ctx := context.Background()
			for t.goesOn() {
				if caller.Call(ctx, load.Kind(caller.Rand.IntN(4))) != nil { // the book records it
					pause(ctx, 50*time.Millisecond)
				}
			}
		})
	}
	return nil
}

// client makes a client of the servers behind a proxy.
func (in *instance) client(opts ...rpc.ClientOption) (*rpc.Client, error) {
	trust, err := in.trust()
	if err != nil {
		return nil, err
	}
	scheme := "ws://"
	if trust != nil {
		scheme = "wss://"
		opts = append(opts, rpc.WithTLS(trust))
	}
	return rpc.NewClient(scheme+in.site.addr+rig.Path, opts...), nil
}

// begin starts the load. It returns when calls in both directions have been
// answered.
func (t *traffic) begin(ctx context.Context) error {
	close(t.begun)
	for done(t.small.Totals()) == 0 || done(t.large.Totals()) == 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		pause(ctx, 20*time.Millisecond)
	}
	return nil
}

// done is how many calls have ended with OK.
func done(t load.Totals) (n int) {
	for _, calls := range t.Calls {
		n += calls
	}
	return n
}

// finish stops making calls and waits for those in flight.
func (t *traffic) finish() error {
	close(t.stop)
	over := make(chan struct{})
	go func() {
		t.working.Wait()
		close(over)
	}()
	select {
	case <-over:
		return nil
	case <-time.After(callTimeout + 5*time.Second):
		return fmt.Errorf("calls did not end: %q", append(t.small.Pending(), t.large.Pending()...))
	}
}

func (t *traffic) close() error {
	var errs []error
	for _, c := range t.clients {
		errs = append(errs, c.Close())
	}
	errs = append(errs, t.fleet.close())
	return errors.Join(append(errs, t.proxy.stop())...)
}

// verdict returns what is wrong with a load.
func (t *traffic) verdict() error {
	var bad []error
	for _, b := range []*load.Book{t.small, t.large} {
		n := b.Totals()
		if n.Failed > 0 {
			bad = append(bad, fmt.Errorf("%d calls failed: %w", n.Failed, errors.Join(b.Failures()...)))
		}
		if n.Lost+n.Duplicated+n.Reordered+n.Damaged > 0 {
			bad = append(bad, fmt.Errorf("messages: lost %d duplicated %d reordered %d damaged %d",
				n.Lost, n.Duplicated, n.Reordered, n.Damaged))
		}
	}
	if n := t.sessionsLost.Load(); n > 0 && !t.idleMayGo {
		bad = append(bad, fmt.Errorf("%d sessions were lost", n))
	}
	return errors.Join(bad...)
}
