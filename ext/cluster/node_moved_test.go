package cluster

import (
	"context"
	"errors"
	"testing"

	"github.com/parley-rpc/parley/rpc"
)

func TestACallFollowsAClientThatHasMoved(t *testing.T) {
	nodes := startNodes(t, 3, nil)
	first := nodes[1].device(t, "d")
	callAllKinds(t, nodes[0].Client("d"), "d") // and caches where it is
	stale, _, _ := nodes[0].directory.cache.get("d")
	_ = first.Close()
	moved := nodes[2].device(t, "d")
	callAllKinds(t, nodes[0].Client("d"), "d")
	if p, _, ok := nodes[0].directory.cache.get("d"); !ok || p.Node != nodes[2].ID() {
		t.Errorf("the next call would take a detour: %+v", p)
	}
	_ = moved.Close()
	nodes[0].directory.cache.put(stale)
	nodes[0].device(t, "d")
	nodes[0].directory.cache.put(stale)
	callAllKinds(t, nodes[0].Client("d"), "d")
}

// The call has found the client at another node, just before it came to this one.
func TestACallFollowsAClientToItsOwnNode(t *testing.T) {
	nodes := startNodes(t, 2, nil)
	first := nodes[1].device(t, "d")
	callAllKinds(t, nodes[0].Client("d"), "d")
	route, ok := nodes[0].Client("d").(rpc.Router)
	if !ok {
		t.Fatal("Client returns no Router")
	}
	there, options, err := route(t.Context(), helloMethod)
	if err != nil {
		t.Fatal(err)
	}
	_ = first.Close()
	nodes[0].device(t, "d")
	eventually(t, func() bool { return nodes[1].localConn("d") == nil })
	callAllKinds(t, rpc.Router(func(context.Context, *rpc.Method) (rpc.Caller, []rpc.CallOption, error) {
		return there, options, nil
	}), "d")
}

func TestACallToAClientThatHasLeftIsNotFound(t *testing.T) {
	nodes := startNodes(t, 2, nil)
	client := nodes[1].device(t, "d")
	callAllKinds(t, nodes[0].Client("d"), "d")
	_ = client.Close()
	eventually(t, func() bool { return nodes[1].localConn("d") == nil })
	if err := hello(t.Context(), nodes[0].Client("d")); !errors.Is(err, rpc.CodeNotFound) {
		t.Error(err)
	}
}

func TestANodeThatAClientHasLeftPassesNoCallOn(t *testing.T) {
	nodes := startNodes(t, 3, nil)
	first := nodes[1].device(t, "d")
	callAllKinds(t, nodes[0].Client("d"), "d")
	_ = first.Close()
	nodes[2].device(t, "d")
	ctx, cancel := context.WithCancel(t.Context())
	call := make(chan error, 1)
	go func() {
		_, err := rpc.CallUnary[text, text](ctx, nodes[0].Client("d"), waitMethod, new(text))
		call <- err
	}()
	eventually(t, func() bool { return nodes[2].localConn("d").Stats().LocalStreams > 0 })
	for _, c := range nodes[1].Node.inner.Conns() {
		if n := c.Stats().RemoteStreams; n > 0 {
			t.Errorf("%d calls pass through the node that the client has left", n)
		}
	}
	nodes[1].down(t) // it waits for no call
	cancel()
	if err := <-call; !errors.Is(err, rpc.CodeCanceled) {
		t.Error(err)
	}
}
