// Package natsbus carries the messages of a cluster over NATS, version 2.10 or
// later. Publishing and subscribing use core NATS: a message reaches each
// subscription at most once, and losses are told.
//
// A lookup of a client is a request to its subject, and NATS answers at once if
// no node subscribes to it. JetStream is used for topics with history only: each
// such topic is a stream, which its first use makes. A stream costs the server
// about 300 KB of memory with files, and 35 KB with WithMemoryStorage. A stream
// that is no longer used stays until it is deleted: its name begins with
// "parley_log_", and its description names the topic's subject.
//
// The options of the connection decide how it behaves while the server cannot be
// reached. By default, nats.go gives up after 60 attempts, 2 s apart. Use
//
//	nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(250*time.Millisecond))
package natsbus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/parley-rpc/parley/ext/cluster"
)

// Bus is a cluster.LogBus over a connection to NATS. One goroutine calls the
// functions of all subscriptions, one the functions of OnChange; the first
// request starts a third, for replies.
//
// Up to 16,384 messages wait for the first goroutine, for all subscriptions
// together. Those beyond are dropped, and OnChange tells their subjects. They take at most
// the size of that many of the largest messages that the server allows.
//
// Publish passes data to nats.go, which writes it in batches. If the server has
// stopped reading but the connection is open, Publish may wait as long as
// nats.FlusherTimeout allows.
type Bus struct {
	nc        *nats.Conn
	err       error // of the options or of the connection: each operation returns it
	queue     chan *nats.Msg
	queueSize int
	available atomic.Bool
	statuses  chan nats.Status
	end       sync.Once
	done      chan struct{} // closed when the bus has ended
	requests  requests

	js       jetstream.JetStream
	storage  jetstream.StorageType
	replicas int

	// subscribing is held from before NATS knows a subscription until it is in
	// subs. It comes before mu in the lock order.
	subscribing sync.Mutex

	mu       sync.Mutex
	closed   bool
	subs     map[*nats.Subscription]*subscription
	watchers []*watcher // replaced, never changed
	// connected ends when the connection is lost. Another one follows it.
	connected  context.Context
	disconnect context.CancelFunc
}

const defaultQueue = 16384

// Option is an option of New.
type Option func(*Bus)

// WithQueue sets how many messages may wait for the functions of the
// subscriptions, at least 2 and 16,384 by default.
func WithQueue(messages int) Option {
	return func(b *Bus) {
		if b.queueSize = messages; messages < 2 {
			b.err = fmt.Errorf("natsbus: WithQueue(%d): at least 2 must fit", messages)
		}
	}
}

// WithReplicas sets how many servers of a NATS cluster keep each log that this
// bus makes: 1 by default, at most 5.
func WithReplicas(n int) Option {
	return func(b *Bus) {
		if b.replicas = n; n < 1 || n > 5 {
			b.err = fmt.Errorf("natsbus: WithReplicas(%d): 1 to 5 are possible", n)
		}
	}
}

// WithMemoryStorage makes NATS keep logs that this bus makes in memory, instead
// of files.
func WithMemoryStorage() Option {
	return func(b *Bus) { b.storage = jetstream.MemoryStorage }
}

// New returns a bus over a connection, whose handlers remain the caller's. The
// bus ends with the connection or by Close. An option or connection that does
// not suit is an error of each operation, such that cluster.New fails.
func New(nc *nats.Conn, opts ...Option) *Bus {
	b := &Bus{
		nc:        nc,
		queueSize: defaultQueue,
		replicas:  1,
		done:      make(chan struct{}),
		subs:      make(map[*nats.Subscription]*subscription),
	}
	for _, o := range opts {
		o(b)
	}
	switch {
	case nc == nil:
		b.err = errors.New("natsbus: New without a connection")
	case nc.Opts.NoEcho:
		b.err = errors.New("natsbus: the connection has nats.NoEcho: a node must receive what it publishes")
	}
	if b.err == nil {
		b.js, b.err = jetstream.New(nc)
	}
	if b.err != nil {
		return b
	}
	b.connected, b.disconnect = context.WithCancel(context.Background())
	b.queue = make(chan *nats.Msg, b.queueSize)
	b.requests.init(nc)
	b.statuses = nc.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.DISCONNECTED, nats.CLOSED)
	b.available.Store(nc.IsConnected())
	go b.dispatch()
	go b.watchStatus()
	return b
}

// Close ends the bus and its subscriptions, not the connection.
func (b *Bus) Close() error {
	if b.statuses == nil {
		return nil
	}
	b.nc.RemoveStatusListener(b.statuses)
	b.stop()
	b.mu.Lock()
	subs := make([]*subscription, 0, len(b.subs))
	for _, s := range b.subs {
		subs = append(subs, s)
	}
	b.mu.Unlock()
	for _, s := range subs {
		_ = s.Close() // the connection may be closed
	}
	return nil
}

// stop ends the goroutines. No request can succeed afterwards.
func (b *Bus) stop() {
	b.end.Do(func() {
		b.mu.Lock()
		b.closed = true
		b.available.Store(false)
		b.disconnect()
		b.mu.Unlock()
		close(b.done)
		b.requests.close()
	})
}

// Available implements cluster.Bus.
func (b *Bus) Available() bool { return b.err == nil && b.available.Load() && b.nc.IsConnected() }

// Publish implements cluster.Bus.
func (b *Bus) Publish(subject string, data []byte) error {
	if err := b.check(subject); err != nil {
		return err
	}
	return b.publish(subject, "", data)
}

// check returns an error if nothing can be sent to the subject.
func (b *Bus) check(subject string) error {
	if b.err != nil {
		return b.err
	}
	return cluster.CheckSubject(subject)
}

// publish sends a message. It does not let nats.go buffer while the connection
// is lost: a message that arrives much later is worse than none.
func (b *Bus) publish(subject, reply string, data []byte) error {
	if !b.Available() {
		return cluster.ErrBusUnavailable
	}
	var err error
	if reply == "" {
		err = b.nc.Publish(subject, data)
	} else {
		err = b.nc.PublishRequest(subject, reply, data)
	}
	return unavailable(err)
}

// reply answers a request. After a loss of the connection, requests may arrive
// before the bus is available again.
func (b *Bus) reply(subject string, data []byte) error {
	if !b.nc.IsConnected() {
		return cluster.ErrBusUnavailable
	}
	return unavailable(b.nc.Publish(subject, data))
}

// unavailable adds cluster.ErrBusUnavailable to an error that means it.
func unavailable(err error) error {
	for _, e := range []error{
		nats.ErrConnectionClosed, nats.ErrConnectionDraining, nats.ErrConnectionReconnecting,
		nats.ErrReconnectBufExceeded, nats.ErrDisconnected,
	} {
		if errors.Is(err, e) {
			return fmt.Errorf("%w: %w", cluster.ErrBusUnavailable, err)
		}
	}
	return err
}
