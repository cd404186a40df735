package cluster

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	clusterv1 "github.com/parley-rpc/parley/ext/cluster/internal/gen/parley/cluster/v1"
	"github.com/parley-rpc/parley/rpc"
)

// clientsMethod lists the clients of a node, in pages.
var clientsMethod = &rpc.Method{Service: nodeService, Name: "Clients", ServerStreams: true, Idempotency: rpc.NoSideEffects}

const (
	clientsPerPage = 256
	// listTimeout is how long another node may take for a page.
	listTimeout = 2 * time.Second
)

// Clients ranges over the connections of all clients, those of this node first,
// and in the order of names for each node. A node that does not answer within 2
// s is an error in the sequence, which names it, and not its end. So the answer
// is partial then, and says so. The sequence ends with ctx, whose error is the
// last item.
func (n *Node) Clients(ctx context.Context) iter.Seq2[Presence, error] {
	return func(yield func(Presence, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		l := listing{n: n, found: make(chan listed, clientsPerPage)}
		go l.run(ctx)
		defer func() {
			cancel()
			for range l.found { // until its goroutines have ended
			}
		}()
		for item := range l.found {
			if !yield(item.presence, item.err) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(Presence{}, rpc.StatusOf(err))
		}
	}
}

// listed is an item of Clients.
type listed struct {
	presence Presence
	err      error
}

// listing is one range over Clients.
type listing struct {
	n     *Node
	found chan listed // closed when all nodes have answered
}

// run lists the clients of all nodes.
func (l *listing) run(ctx context.Context) {
	defer close(l.found)
	l.listOwn(ctx)
	if err := l.n.members.settle(ctx); err != nil && ctx.Err() == nil {
		l.add(ctx, listed{err: err}) // others may be missing
	}
	var all sync.WaitGroup
	for _, other := range l.n.members.list() {
		all.Go(func() {
			if err := l.list(ctx, other); err != nil && ctx.Err() == nil {
				l.add(ctx, listed{err: rpc.Errorf(rpc.CodeOf(err), "node %s: %w", other.Name, err)})
			}
		})
	}
	all.Wait()
}

// add adds an item, and reports false when ctx has ended.
func (l *listing) add(ctx context.Context, item listed) bool {
	select {
	case l.found <- item:
		return true
	case <-ctx.Done():
		return false
	}
}

func (l *listing) listOwn(ctx context.Context) {
	for page := range l.n.directory.pages(clientsPerPage) {
		for _, p := range page {
			if !l.add(ctx, listed{presence: p}) {
				return
			}
		}
	}
}

// list lists the clients of another node.
func (l *listing) list(ctx context.Context, other nodeInfo) error {
	to, err := l.n.callerOf(other)
	if err != nil {
		return err
	}
	pages, err := rpc.CallServerStream[clusterv1.ClientMessage, clusterv1.ClientResponse](ctx, to, clientsMethod,
		new(clusterv1.ClientMessage), rpc.WithIdleTimeout(listTimeout))
	if err != nil {
		return err
	}
	for page, err := range pages.All() {
		if err != nil {
			return err
		}
		for _, wire := range page.Presences {
			p, err := presenceFrom(wire)
			if err != nil {
				return fmt.Errorf("its answer: %w", err)
			}
			if !l.add(ctx, listed{presence: p}) {
				return nil
			}
		}
	}
	return nil
}

// serveClients is the handler of clientsMethod.
func (n *Node) serveClients(_ context.Context, _ *clusterv1.ClientMessage, out rpc.Sender[clusterv1.ClientResponse]) error {
	for page := range n.directory.pages(clientsPerPage) {
		res := new(clusterv1.ClientResponse)
		for _, p := range page {
			res.Presences = append(res.Presences, p.toWire())
		}
		if err := out.Send(res); err != nil {
			return err
		}
	}
	return nil
}
