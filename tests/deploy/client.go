package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/tests/deploy/gen/deploy/v1/deployv1parley"
	"github.com/parley-rpc/parley/tests/internal/notes"
)

// clients are the Go clients of an arrangement, in this process.
type clients struct {
	book notes.Book
	ids  *notes.IDs
	all  []*rpc.Client
	stop chan struct{}
	work sync.WaitGroup

	ctx    context.Context // of the calls
	cancel context.CancelFunc
}

// retries is the policy that repeats calls without side effects.
var retries = rpc.RetryPolicy{
	MaxAttempts:    8,
	Codes:          []rpc.Code{rpc.CodeUnavailable},
	InitialBackoff: 20 * time.Millisecond,
	MaxBackoff:     500 * time.Millisecond,
	Budget:         rpc.RetryBudget{Tokens: 1000, Ratio: 1},
}

// connect connects the clients and starts their calls.
func (s *settings) connect(ctx context.Context, a *arrangement, urls []string) (*clients, error) {
	c := &clients{ids: notes.NewIDs(0), stop: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	for n := range s.clients {
		own := turned(urls, n)
		services := rpc.NewMux()
		deployv1parley.RegisterNoteServiceServer(services, notes.Service{Book: &c.book})
		opts := []rpc.ClientOption{
			rpc.WithURLs(own[1:]...),
			rpc.WithBalancer(a.balancer),
			rpc.WithServices(services),
			rpc.WithRetry(retries),
			rpc.WithCookieJar(jar(urls, n)),
		}
		client := rpc.NewClient(own[0], opts...)
		c.all = append(c.all, client)
		if _, err := client.Connect(ctx); err != nil {
			return nil, errors.Join(err, c.close())
		}
		caller := notes.Caller{
			Conn:  client,
			Book:  &c.book,
			IDs:   c.ids,
			Who:   "Go client",
			Retry: true,
			Pace:  s.pace,
			Count: s.count,
		}
		c.work.Go(func() { caller.Work(c.ctx, c.stop, notes.Never) })
		c.work.Go(func() { c.watch(client) })
	}
	return c, nil
}

// turned rotates the URLs for each client, so that with PickFirst every server
// has some clients.
func turned(urls []string, n int) []string {
	n %= len(urls)
	return slices.Concat(urls[n:], urls[:n])
}

// jar returns the cookies of client n, as if a page had set them.
func jar(urls []string, n int) http.CookieJar {
	jar, _ := cookiejar.New(nil) // never fails
	for _, u := range urls {
		at, _ := url.Parse(strings.Replace(u, "ws", "http", 1)) // the address is well formed
		jar.SetCookies(at, []*http.Cookie{{Name: "sid", Value: fmt.Sprint("go-", n)}})
	}
	return jar
}

// watch measures the times in which a client has no session for new calls.
func (c *clients) watch(client *rpc.Client) {
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	go func() {
		select {
		case <-c.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	var since time.Time // zero: it has a session
	for state := range client.States(ctx) {
		switch {
		case state != rpc.StateReady && since.IsZero():
			since = time.Now()
		case state == rpc.StateReady && !since.IsZero():
			c.book.NoteWithout(time.Since(since))
			since = time.Time{}
		}
	}
	if !since.IsZero() {
		c.book.NoteWithout(time.Since(since))
	}
}

// finish waits for the calls under way and returns what was counted.
func (c *clients) finish() *notes.Report {
	close(c.stop)
	c.work.Wait()
	return c.book.Report()
}

func (c *clients) close() error {
	c.cancel()
	var errs []error
	for _, client := range c.all {
		errs = append(errs, client.Close())
	}
	c.work.Wait()
	return errors.Join(errs...)
}
