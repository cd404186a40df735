package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/rpc"
)

func TestClientsOfAllNodesAreListed(t *testing.T) {
	nodes := startNodes(t, 3, nil)
	for i, n := range nodes {
		for j := range 3 {
			n.device(t, fmt.Sprintf("client-%d%d", i, j))
		}
	}
	var got []string
	for p, err := range nodes[1].Clients(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p.NodeName+"/"+p.Client)
	}
	if len(got) != 9 || got[0] != "node-1/client-10" || got[2] != "node-1/client-12" {
		t.Errorf("listed %q", got)
	}
	slices.Sort(got)
	if got = slices.Compact(got); len(got) != 9 {
		t.Errorf("listed %q", got)
	}
	for _, err := range nodes[1].Clients(t.Context()) {
		if err != nil {
			t.Error(err)
		}
		break // leaves nothing behind
	}
}

// A node that does not answer is an error in the sequence; the others are there.
func TestAListWithoutTheAnswerOfANodeSaysSo(t *testing.T) {
	nodes := startNodes(t, 3, nil)
	for i, n := range nodes {
		n.device(t, fmt.Sprint("client-", i))
	}
	nodes[2].inner.Listener.Close()
	nodes[2].inner.cut()
	var found, failed []string
	for p, err := range nodes[0].Clients(t.Context()) {
		if err != nil {
			failed = append(failed, err.Error())
			continue
		}
		found = append(found, p.Client)
	}
	slices.Sort(found)
	if !slices.Equal(found, []string{"client-0", "client-1"}) || len(failed) != 1 || !strings.Contains(failed[0], "node-2") {
		t.Errorf("found %q, failed %q", found, failed)
	}
}

func TestCallAllHasAnAnswerForEachClient(t *testing.T) {
	nodes := startNodes(t, 2, nil)
	nodes[0].device(t, "here")
	nodes[1].device(t, "there")
	got := make(map[string]string)
	names := []string{"here", "nowhere", "there"}
	for name, a := range CallAll[text, text](t.Context(), nodes[0].Node, names, helloMethod, &text{Value: "hi"}) {
		got[name] = a.Response.GetValue()
		if errors.Is(a.Err, rpc.CodeNotFound) {
			got[name] = "not found"
		} else if a.Err != nil {
			t.Error(name, a.Err)
		}
	}
	want := map[string]string{"here": "here: hi", "there": "there: hi", "nowhere": "not found"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAClientThatDoesNotAnswerDelaysNoOther(t *testing.T) {
	nodes := startNodes(t, 2, nil)
	nodes[1].device(t, "slow")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	for name, a := range CallAll[text, text](ctx, nodes[0].Node, []string{"slow"}, waitMethod, new(text)) {
		if name != "slow" || !errors.Is(a.Err, rpc.CodeDeadlineExceeded) {
			t.Errorf("%s: %v", name, a.Err)
		}
	}
	for range CallAll[text, text](t.Context(), nodes[0].Node, []string{"slow", "slow", "slow"}, waitMethod, new(text), rpc.WithTimeout(50*time.Millisecond)) {
		break // cancels the others
	}
}
