package cluster

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/rpc"
)

func TestANodeWithoutABusHasNoGoroutineWhileItIsIdle(t *testing.T) {
	before := goleak.IgnoreCurrent()
	node, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	srv := rpc.NewServer(node.ServerOptions()...)
	defer srv.Close()
	node.Handler(srv)
	if err := TopicOf[*text](node, "room").Publish(t.Context(), &text{Value: "unheard"}); err != nil {
		t.Fatal(err)
	}
	if _, err := node.Lookup(t.Context(), "absent"); rpc.CodeOf(err) != rpc.CodeNotFound {
		t.Fatal(err)
	}
	for p, err := range node.Clients(t.Context()) {
		t.Errorf("%+v, %v", p, err)
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}
