package cluster

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// helloTimeout is how long a client may take to say which session it wants.
const helloTimeout = 10 * time.Second

// entry accepts links. It serves those of this node's sessions and of new ones,
// and passes those of other nodes' sessions on.
type entry struct {
	srv    *rpc.Server
	relays *relays
	// owner returns the node that has a session, by its id: nil for this node,
	// and for sessions of nodes that are gone, whose clients are told at once. An
	// error says that this node does not know: the client tries another one.
	owner func(ctx context.Context, session []byte) (rpc.Caller, error)

	ctx     context.Context // until the node leaves
	passing *linkGroup
}

// ServeHTTP implements http.Handler.
func (e *entry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	link, err := e.srv.Upgrade(w, r)
	if err != nil {
		return // it was answered and logged
	}
	if !e.passing.start(func() { e.serve(link) }) { // another goroutine, so that nothing keeps the request
		_ = link.Close(transport.CloseGoingAway, "the node has left the cluster")
	}
}

// serve serves a link, or passes it on, and returns when that has ended.
func (e *entry) serve(accepted *rpc.AcceptedLink) {
	ctx, cancel := context.WithTimeout(e.ctx, helloTimeout)
	hello, link := transport.PeekHello(ctx, accepted)
	cancel()
	if len(hello.Session) > 0 {
		owner, err := e.owner(e.ctx, hello.Session)
		if err != nil {
			_ = link.Close(transport.CloseAbnormal, "")
			return
		}
		if owner != nil {
			err := e.relays.pass(e.ctx, owner, hello.Session, accepted, link)
			if !errors.Is(err, errNotOwner) {
				return
			}
		}
		if !e.srv.HasSession(hello.Session) {
			e.relays.lost.Add(1)
		}
	}
	_ = e.srv.ServeLink(accepted.Context(), link, *accepted.Peer()) // it has closed the link if it fails
}
