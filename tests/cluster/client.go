package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/rpc"
	clusterv1 "github.com/parley-rpc/parley/tests/cluster/gen/cluster/v1"
	"github.com/parley-rpc/parley/tests/cluster/gen/cluster/v1/clusterv1parley"
	"github.com/parley-rpc/parley/tests/deploy/gen/deploy/v1/deployv1parley"
	"github.com/parley-rpc/parley/tests/internal/notes"
	"github.com/parley-rpc/parley/tests/internal/rig"
)

// member is one client.
type member struct {
	name      string
	client    *rpc.Client
	followers []*follower
}

// Who implements ClientService.
func (m *member) Who(context.Context, *clusterv1.WhoRequest) (*clusterv1.WhoResponse, error) {
	return &clusterv1.WhoResponse{Client: m.name}, nil
}

// clients are the clients of a scenario, in this process.
type clients struct {
	url  string
	book notes.Book
	ids  *notes.IDs
	lost atomic.Int64 // sessions

	stop    chan struct{} // closed by rest
	ctx     context.Context
	cancel  context.CancelFunc
	working sync.WaitGroup // calls
	topics  sync.WaitGroup // followers
	follow  context.Context
	unsub   context.CancelFunc

	mu  sync.Mutex
	all map[string]*member
}

func newClients(addr string) *clients {
	c := &clients{url: "ws://" + addr + rig.Path, ids: notes.NewIDs(0), stop: make(chan struct{}), all: make(map[string]*member)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.follow, c.unsub = context.WithCancel(c.ctx)
	return c
}

// retries is the policy that repeats calls without side effects.
var retries = rpc.RetryPolicy{
	MaxAttempts:    8,
	Codes:          []rpc.Code{rpc.CodeUnavailable},
	InitialBackoff: 20 * time.Millisecond,
	MaxBackoff:     500 * time.Millisecond,
	Budget:         rpc.RetryBudget{Tokens: 1000, Ratio: 1},
}

// join connects a client.
func (c *clients) join(ctx context.Context, name string) error {
	m := &member{name: name}
	services := rpc.NewMux()
	deployv1parley.RegisterNoteServiceServer(services, notes.Service{Book: &c.book})
	clusterv1parley.RegisterClientServiceServer(services, m)
	opts := append(rig.QuickClient(0), rpc.WithServices(services), rpc.WithRetry(retries),
		rpc.WithHTTPHeader(http.Header{"Authorization": {name}}),
		rpc.OnSessionLost(func(*rpc.Conn, error) { c.lost.Add(1) }))
	m.client = rpc.NewClient(c.url, opts...)
	c.mu.Lock()
	c.all[name] = m
	c.mu.Unlock()
	_, err := m.client.Connect(ctx)
	return err
}

// leave ends a client for good.
func (c *clients) leave(name string) error {
	c.mu.Lock()
	m := c.all[name]
	delete(c.all, name)
	c.mu.Unlock()
	return m.client.Close()
}

// begin starts the calls of a client, and what it follows.
func (c *clients) begin(m *member, pace time.Duration, count uint64) {
	caller := notes.Caller{
		Conn: m.client, Book: &c.book, IDs: c.ids, Who: m.name, Retry: true, Pace: pace, Count: count,
	}
	c.working.Go(func() { caller.Work(c.ctx, c.stop, notes.Never) })
	c.subscribe(m, news, 0, time.Time{})
	c.subscribe(m, record, 0, time.Time{})
}

// subscribe makes a client follow a topic.
func (c *clients) subscribe(m *member, topic string, pace time.Duration, until time.Time) {
	f := &follower{who: m.name, topic: topic, pace: pace, until: until, got: make(map[uint32]*series)}
	m.followers = append(m.followers, f)
	c.topics.Go(func() { f.run(c.follow, m.client) })
}

// truth returns the sessions that the clients have now.
func (c *clients) truth() truth {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := make(truth)
	for name, m := range c.all {
		session := "none"
		if m.client.State() == rpc.StateReady {
			if conn, err := m.client.Connect(c.ctx); err == nil {
				session = hex.EncodeToString(conn.SessionID())
			}
		}
		t[name] = session
	}
	return t
}

// rest ends the calls of the clients. Those that hang fail.
func (c *clients) rest() {
	close(c.stop)
	hung := time.AfterFunc(hangs, c.cancel)
	defer hung.Stop()
	c.working.Wait()
}

// hangs is how long a call may take to end after nothing is wrong any more.
const hangs = 15 * time.Second

// settle ends the followers when they have everything, at the latest after a
// while, and returns what they have counted.
func (c *clients) settle(ctx context.Context, sent map[string][]published) topicCounts {
	var all []*follower
	for _, m := range c.all {
		all = append(all, m.followers...)
	}
	for end := time.Now().Add(catchUp); time.Now().Before(end); {
		late := false
		for _, f := range all {
			late = late || !f.caughtUp(sent[f.topic])
		}
		if !late || notes.Pause(ctx, 20*time.Millisecond) != nil {
			break
		}
	}
	c.unsub()
	c.topics.Wait()
	var counts topicCounts
	for _, f := range all {
		f.settle(&counts, sent[f.topic])
	}
	return counts
}

// catchUp is how long followers may take to get what is published.
const catchUp = 5 * time.Second

func (c *clients) close() error {
	c.cancel()
	var errs []error
	for name := range c.all {
		if err := c.leave(name); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	c.working.Wait()
	c.topics.Wait()
	return errors.Join(errs...)
}
