package rpc_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

// A connection that is lost at one server, and replaced at another, as if that
// were another process.
func TestAnotherProcessEndsTheConnectionThatIsReplaced(t *testing.T) {
	asked := make(chan transport.Predecessor, 10)
	began := make(chan *rpc.Conn, 1)
	a := rpc.NewServer(rpc.OnConnect(func(c *rpc.Conn) { began <- c }))
	b := rpc.NewServer(rpc.OnUnknownPredecessor(func(c *rpc.Conn, lost transport.Predecessor) {
		if c.Principal() == "ada" && c.Peer().Host == "host" {
			asked <- lost
		}
	}))
	defer a.Close()
	defer b.Close()
	session := func(srv *rpc.Server, lost *transport.Predecessor) (*transport.Session, *pipe.End) {
		dialer, acceptor := pipe.New(pipe.Config{})
		ctx := rpc.WithPrincipal(context.Background(), "ada")
		if err := srv.ServeLink(ctx, acceptor, rpc.Peer{Host: "host"}); err != nil {
			t.Fatal(err)
		}
		s, err := transport.NewSession(dialer, transport.Dialer, transport.Config{
			Predecessor: lost, OnDetached: func(*transport.Session, error) {},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close(transport.CloseNormal, "") })
		if _, err := s.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s, dialer
	}
	first, link := session(a, nil)
	old, lost := <-began, first.AsPredecessor()
	_ = link.Close(transport.CloseAbnormal, "")

	session(b, lost)
	if old.Err() == nil { // another server of this process needs no help
		select {
		case <-old.Done():
		case <-time.After(5 * time.Second):
			t.Fatal("the connection lasts")
		}
	}
	unknown := transport.Predecessor{Session: []byte("of another process"), Token: lost.Token}
	session(b, &unknown)
	got := <-asked
	if string(got.Session) != string(unknown.Session) || len(asked) > 0 {
		t.Errorf("asked for %q, and %d more", got.Session, len(asked))
	}
}

func TestOnlyItsClientReplacesAConnection(t *testing.T) {
	srv := rpc.NewServer()
	defer srv.Close()
	ada := rpc.WithPrincipal(context.Background(), "ada")
	named := func(key string) rpc.Peer { return rpc.Peer{Header: http.Header{"Authorization": {key}}} }
	for _, c := range []struct {
		ctx, wrong   context.Context
		peer, forged rpc.Peer
	}{
		{ada, context.Background(), rpc.Peer{}, rpc.Peer{}},
		{context.Background(), context.Background(), named("key"), named("other")},
	} {
		dialer, acceptor := pipe.New(pipe.Config{})
		if err := srv.ServeLink(c.ctx, acceptor, c.peer); err != nil {
			t.Fatal(err)
		}
		s, err := transport.NewSession(dialer, transport.Dialer, transport.Config{OnDetached: func(*transport.Session, error) {}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		lost := *s.AsPredecessor()
		if srv.EndPredecessor(c.wrong, c.forged, lost) {
			t.Error("another client has ended the connection")
		}
		if !srv.EndPredecessor(c.ctx, c.peer, lost) || srv.HasSession(lost.Session) {
			t.Error("the connection lasts")
		}
		_ = s.Close(transport.CloseNormal, "")
	}
}
