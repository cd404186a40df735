package natsbus

import (
	"context"
	"iter"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/parley-rpc/parley/ext/cluster"
)

// Bounds of the replies to requests.
const (
	maxReplies    = 1024    // that wait for the one that made a request
	inboxMessages = 65536   // that wait for the inbox
	inboxBytes    = 8 << 20 // of these
)

// requests are the requests of a Bus that wait for replies. They share one
// subscription.
type requests struct {
	nc *nats.Conn

	subscribing sync.Mutex // held while inbox is made; before mu in the lock order
	prefix      string     // of the subjects for replies; "": no request was made yet
	inbox       *nats.Subscription

	mu      sync.Mutex
	last    uint64
	waiting map[string]*request // by the end of its subject
	closed  bool
}

// request is a request that waits for replies.
type request struct {
	changed chan struct{} // of capacity 1: there are replies, or an error

	mu      sync.Mutex
	replies [][]byte
	err     error // no reply follows
}

func (r *requests) init(nc *nats.Conn) {
	r.nc = nc
	r.waiting = make(map[string]*request)
}

// Request implements cluster.Bus. If the connection is lost, the sequence ends
// with cluster.ErrBusUnavailable.
func (b *Bus) Request(ctx context.Context, subject string, data []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		q, stop, err := b.request(ctx, subject, data)
		if err != nil {
			yield(nil, err)
			return
		}
		defer stop()
		for {
			select {
			case <-q.changed:
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			}
			replies, err := q.take()
			for _, reply := range replies {
				if !yield(reply, nil) {
					return
				}
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// request sends a request.
func (b *Bus) request(ctx context.Context, subject string, data []byte) (q *request, stop func(), err error) {
	if err := b.check(subject); err != nil {
		return nil, nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if !b.Available() {
		return nil, nil, cluster.ErrBusUnavailable
	}
	prefix, err := b.requests.subscribe()
	if err != nil {
		return nil, nil, unavailable(err)
	}
	token, q, err := b.requests.add()
	if err != nil {
		return nil, nil, err
	}
	stop = func() { b.requests.remove(token) }
	if err := b.publish(subject, prefix+token, data); err != nil {
		stop()
		return nil, nil, err
	}
	return q, stop, nil
}

// subscribe subscribes to the replies of all requests, once.
func (r *requests) subscribe() (prefix string, err error) {
	r.subscribing.Lock()
	defer r.subscribing.Unlock()
	if r.prefix != "" {
		return r.prefix, nil
	}
	prefix = r.nc.NewInbox() + "."
	inbox, err := r.nc.Subscribe(prefix+"*", func(m *nats.Msg) { r.receive(strings.TrimPrefix(m.Subject, prefix), m) })
	if err != nil {
		return "", err
	}
	if err := inbox.SetPendingLimits(inboxMessages, inboxBytes); err != nil {
		return "", err
	}
	r.prefix, r.inbox = prefix, inbox
	return prefix, nil
}

// receive takes a reply. NATS replies itself if nothing subscribes.
func (r *requests) receive(token string, m *nats.Msg) {
	r.mu.Lock()
	q := r.waiting[token]
	r.mu.Unlock()
	if q == nil {
		return
	}
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		q.fail(cluster.ErrNoSubscribers)
		return
	}
	q.add(m.Data)
}

func (r *requests) add() (token string, q *request, err error) {
	q = &request{changed: make(chan struct{}, 1)}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return "", nil, cluster.ErrBusUnavailable
	}
	r.last++
	token = strconv.FormatUint(r.last, 36)
	r.waiting[token] = q
	return token, q, nil
}

func (r *requests) remove(token string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.waiting, token)
}

// fail ends all requests: their replies may be lost.
func (r *requests) fail() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range r.waiting {
		q.fail(cluster.ErrBusUnavailable)
	}
}

// close ends all requests, and the subscription to their replies.
func (r *requests) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.fail()
	r.subscribing.Lock()
	defer r.subscribing.Unlock()
	if r.inbox != nil {
		_ = r.inbox.Unsubscribe() // the connection may be closed
	}
}

// add queues a reply. It is dropped if too many wait.
func (q *request) add(data []byte) {
	q.mu.Lock()
	if q.err == nil && len(q.replies) < maxReplies {
		q.replies = append(q.replies, data)
	}
	q.mu.Unlock()
	q.signal()
}

func (q *request) fail(err error) {
	q.mu.Lock()
	if q.err == nil {
		q.err = err
	}
	q.mu.Unlock()
	q.signal()
}

func (q *request) signal() {
	select {
	case q.changed <- struct{}{}:
	default:
	}
}

// take returns the replies that wait, and the error that follows them.
func (q *request) take() ([][]byte, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	replies := q.replies
	q.replies = nil
	return replies, q.err
}
