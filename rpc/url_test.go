package rpc_test

import (
	"slices"
	"testing"

	"github.com/parley-rpc/parley/rpc"
)

func TestTheDiallingEndKnowsTheAddress(t *testing.T) {
	connected := make(chan *rpc.Conn, 1)
	url, _ := serve(t, rpc.OnConnect(func(c *rpc.Conn) { connected <- c }))
	client := rpc.NewClient(url, rpc.WithURLs("ws://elsewhere.invalid/rpc"))
	defer client.Close()
	if got := client.URLs(); !slices.Equal(got, []string{url, "ws://elsewhere.invalid/rpc"}) {
		t.Errorf("the client's are %q", got)
	}
	conn, err := client.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if conn.URL() != url {
		t.Errorf("dialled %q, want %q", conn.URL(), url)
	}
	if got := (<-connected).URL(); got != "" {
		t.Errorf("the server has %q", got)
	}
}
