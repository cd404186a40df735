package rpc_test

import (
	"slices"
	"testing"

	"github.com/parley-rpc/parley/rpc"
)

func TestAClientReturnsItsAddresses(t *testing.T) {
	client := rpc.NewClient("ws://one.invalid/rpc", rpc.WithURLs("ws://two.invalid/rpc"))
	defer client.Close()
	want := []string{"ws://one.invalid/rpc", "ws://two.invalid/rpc"}
	client.URLs()[0] = "changed"
	if got := client.URLs(); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
