package cluster

import (
	"errors"
	"net/http"
	"testing"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// session starts a session at a node, which may replace another one.
func (n *testNode) session(t *testing.T, name string, lost *transport.Predecessor) *transport.Session {
	t.Helper()
	dialer := ws.Dialer{Header: http.Header{"Authorization": {name}}}
	link, err := dialer.Dial(t.Context(), n.clients.url())
	if err != nil {
		t.Fatal(err)
	}
	s, err := transport.NewSession(link, transport.Dialer, transport.Config{
		Predecessor: lost, OnDetached: func(*transport.Session, error) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(transport.CloseNormal, "") })
	if _, err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestASessionEndsWhenItsClientHasReplacedItAtAnotherNode(t *testing.T) {
	nodes := startNodes(t, 2, func(c *Config) { c.Several = All })
	lost := nodes[0].session(t, "ada", nil).AsPredecessor()
	eventually(t, func() bool { return nodes[0].localConn("ada") != nil })
	old := nodes[0].localConn("ada")
	nodes[0].clients.cut() // it waits for its next link
	eventually(t, old.Detached)
	call := make(chan error, 1)
	go func() {
		_, err := rpc.CallUnary[text, text](t.Context(), old, waitMethod, new(text))
		call <- err
	}()
	forged := *lost
	forged.Token = make([]byte, len(lost.Token))
	for _, no := range []struct {
		name string
		lost transport.Predecessor
	}{{"eve", *lost}, {"ada", forged}} {
		refused := nodes[1].session(t, no.name, &no.lost)
		eventually(t, func() bool { return nodes[1].localConn(no.name) != nil })
		nodes[1].endPredecessor(nodes[1].localConn(no.name), no.lost) // what the hook does, to its end
		if err := old.Err(); err != nil {
			t.Errorf("%s has ended the session: %v", no.name, err)
		}
		_ = refused.Close(transport.CloseNormal, "")
		eventually(t, func() bool { return nodes[1].localConn(no.name) == nil })
	}
	nodes[1].session(t, "ada", lost)
	if err := <-call; !errors.Is(err, rpc.CodeUnavailable) {
		t.Error(err)
	}
	<-old.Done()
	if nodes[0].srv.HasSession(lost.Session) {
		t.Error("the session is kept")
	}
}
