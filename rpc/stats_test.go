package rpc_test

import (
	"testing"

	"github.com/parley-rpc/parley/rpc"
)

func TestStatsCountCallsInFlightAndBytes(t *testing.T) {
	p := newPair(t, nil, nil, func(srv *rpc.Server) { registerAll(srv, echo) })
	s, err := p.clientConn.Open(t.Context(), bidi)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Send(text("hello")); err != nil {
		t.Fatal(err)
	}
	if _, err := recvOne(s); err != nil {
		t.Fatal(err)
	}
	client, server := p.clientConn.Stats(), p.serverConn.Stats()
	if client.LocalStreams != 1 || client.RemoteStreams != 0 || server.LocalStreams != 0 || server.RemoteStreams != 1 {
		t.Errorf("the client has %+v, the server %+v", client, server)
	}
	if client.SentBytes == 0 || client.ReceivedBytes == 0 {
		t.Errorf("the client has %+v", client)
	}
}
