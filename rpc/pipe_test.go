package rpc_test

import (
	"testing"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport/pipe"
)

// pair is a client and a server with a connection in memory. A test in a bubble
// of synctest uses it where time matters.
type pair struct {
	srv        *rpc.Server
	client     *rpc.Client
	serverConn *rpc.Conn
	clientConn *rpc.Conn
	dialer     *pipe.End // the client's end of the link
	acceptor   *pipe.End
}

// newPair connects a client to a server. services, if not nil, is called
// before, so that the first call finds its service.
func newPair(t *testing.T, server []rpc.ServerOption, client []rpc.ClientOption, services func(*rpc.Server)) *pair {
	t.Helper()
	srv := rpc.NewServer(server...)
	if services != nil {
		services(srv)
	}
	return connectPipe(t, srv, rpc.NewClient("ws://in.memory", client...))
}

// connectPipe connects a client to a server. Both are closed when the test
// ends.
func connectPipe(t *testing.T, srv *rpc.Server, client *rpc.Client) *pair {
	t.Helper()
	p := &pair{srv: srv, client: client}
	p.dialer, p.acceptor = pipe.New(pipe.Config{})
	started := make(chan error, 1)
	go func() {
		var err error
		p.serverConn, err = p.srv.StartLink(p.acceptor)
		started <- err
	}()
	var err error
	if p.clientConn, err = p.client.StartLink(p.dialer); err != nil {
		t.Fatal(err)
	}
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.client.Close()
		_ = p.srv.Close()
	})
	return p
}
