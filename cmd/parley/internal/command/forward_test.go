package command_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/parley-rpc/parley/rpc"
)

// TestHeadersThatAreNoMetadataAreLeftOut: HTTP lets clients send what gRPC has no place
// for. It must neither fail their calls nor hide where they come from.
func TestHeadersThatAreNoMetadataAreLeftOut(t *testing.T) {
	g := serve(t, "gateway", "--listen", "127.0.0.1:0", "--backend", listen(t, &tester{}),
		"--forward", "cookie", "--forward", "X-User", "--forward", "x-trace-bin")
	client := dial(t, g.url, rpc.WithHTTPHeader(http.Header{
		"Cookie": {"a=1", "b=\xfc"}, "X-User": {"Zo\xc3\xab"}, "X-Trace-Bin": {"YWJj"}, "X-Forwarded-For": {"10.1.1.1", "\xff, 10.2.2.2"},
	}))
	for key, want := range map[string]string{
		"cookie": "a=1", "x-user": "", "x-trace-bin": "abc", "x-forwarded-for": "10.1.1.1, 127.0.0.1",
	} {
		if got, err := said(t, client, key); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", key, got, err, want)
		}
	}
}

// TestCallsAtOnceTellTheSameAddresses: the list that came with the handshake is one for
// all calls, with room behind it.
func TestCallsAtOnceTellTheSameAddresses(t *testing.T) {
	g := serve(t, "gateway", "--listen", "127.0.0.1:0", "--backend", listen(t, &tester{}))
	client := dial(t, g.url, rpc.WithHTTPHeader(http.Header{"X-Forwarded-For": {"10.1.1.1", "10.2.2.2", "10.3.3.3"}}))
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if got, err := said(t, client, "x-forwarded-for"); err != nil || got != "10.1.1.1, 10.2.2.2, 10.3.3.3, 127.0.0.1" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	all.Wait()
}
