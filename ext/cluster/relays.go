package cluster

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// relays passes the links of clients on to the nodes that have their sessions,
// and counts them.
type relays struct {
	limit int64
	open  atomic.Int64
	total atomic.Int64

	refused, failed, lost atomic.Uint64 // Stats

	mu    sync.Mutex
	all   map[*relay]struct{}
	ended chan struct{} // closed when all have ended; nil: the node does not drain
}

// relay is a link that is passed on.
type relay struct{ cut context.CancelFunc }

// pass passes a link on to the owner of the session that it asks for, and
// returns when the link has ended. If the owner does not have the session,
// pass returns errNotOwner, and the link is as it was.
func (r *relays) pass(ctx context.Context, owner rpc.Caller, session []byte, l *rpc.AcceptedLink, link transport.Link) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	this := &relay{cancel}
	if refusal := r.add(this); refusal != nil {
		r.refused.Add(1)
		_ = link.Close(refusal.Code, refusal.Reason)
		return refusal
	}
	defer r.remove(this)
	timer := time.AfterFunc(relayTimeout, cancel)
	stream, err := startRelay(ctx, owner, session, l)
	if err == nil && !timer.Stop() {
		err = rpc.Errorf(rpc.CodeUnavailable, "the owner of the session does not answer")
	}
	if err != nil {
		if !errors.Is(err, errNotOwner) {
			r.failed.Add(1)
			_ = link.Close(transport.CloseAbnormal, "")
		}
		return err
	}
	r.total.Add(1)
	up := make(chan struct{})
	go func() {
		defer close(up)
		if !passUp(link, stream) {
			cancel()
		}
	}()
	code, reason := passDown(stream, link)
	_ = link.Close(code, reason)
	cancel()
	<-up
	return nil
}

// add adds a relay, or returns how its link is closed.
func (r *relays) add(this *relay) *transport.CloseError {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.ended != nil:
		return &transport.CloseError{Code: transport.CloseGoingAway, Reason: "the node is shutting down"}
	case r.open.Load() >= r.limit:
		return &transport.CloseError{Code: transport.CloseTryAgainLater, Reason: "too many relayed links"}
	}
	if r.all == nil {
		r.all = make(map[*relay]struct{})
	}
	r.all[this] = struct{}{}
	r.open.Add(1)
	return nil
}

func (r *relays) remove(this *relay) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.all, this)
	if r.open.Add(-1) == 0 && r.ended != nil {
		close(r.ended)
	}
}

// drain refuses new relays and cuts those that exist, each at a random moment
// within a time: their clients come back at other nodes. It returns when all
// have ended, or ctx.
func (r *relays) drain(ctx context.Context, spread time.Duration) error {
	r.mu.Lock()
	if r.ended == nil {
		r.ended = make(chan struct{})
		for this := range r.all {
			time.AfterFunc(rand.N(spread+1), this.cut)
		}
		if len(r.all) == 0 {
			close(r.ended)
		}
	}
	ended := r.ended
	r.mu.Unlock()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
