package command_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/rpc"
)

// TestHeadersThatAreNoMetadataAreLeftOut: HTTP lets clients send what gRPC does
// not allow. It must neither fail their calls nor hide their address.
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

// TestHeaderThatIsNotForwardedIsLogged expects one line for many connections,
// because clients choose what they send.
func TestHeaderThatIsNotForwardedIsLogged(t *testing.T) {
	g := serve(t, "gateway", "--listen", "127.0.0.1:0", "--backend", listen(t, &tester{}), "--forward", "x-user", "--forward", "cookie")
	for _, header := range []http.Header{{"X-User": {"plain"}}, {"X-User": {"Zo\xc3\xab"}}, {"X-User": {"Zo\xc3\xab"}}} {
		if _, err := said(t, dial(t, g.url, rpc.WithHTTPHeader(header)), "x-user"); err != nil {
			t.Fatal(err)
		}
	}
	_, log := g.end()
	if n := strings.Count(log, "is not forwarded"); n != 1 || !strings.Contains(log, `"header":"x-user"`) || strings.Contains(log, "Zo") {
		t.Errorf("logged %d times: %s", n, log)
	}
}

// TestCallCannotForgeWhatIsForwarded: the handshake came from a proxy that
// knows the caller.
func TestCallCannotForgeWhatIsForwarded(t *testing.T) {
	for name, c := range map[string]struct {
		flags []string
		want  map[string]string // by key; all that is sent is "call"
	}{
		"forwarded": {[]string{"--forward", "X-Auth-Request-User", "--forward", "x-groups"}, map[string]string{
			"x-auth-request-user": "handshake", "x-groups": "", "x_groups": "", "authorization": "call", "x-real-ip": "", "x-tenant": "call"}},
		"authorization":          {[]string{"--forward", "authorization"}, map[string]string{"authorization": "handshake", "cookie": "", "x-auth-request-user": ""}},
		"authorization of calls": {[]string{"--forward", "authorization", "--call-authorization"}, map[string]string{"authorization": "call", "cookie": ""}},
		"allowed and denied": {[]string{"--allow-metadata", "x-real-*", "--allow-metadata", "x-real-ip", "--deny-metadata", "x-t*"}, map[string]string{
			"x-real-ip": "call", "x-tenant": "", "x-groups": "call", "cookie": "call"}},
	} {
		g := serve(t, append([]string{"gateway", "--listen", "127.0.0.1:0", "--backend", listen(t, &tester{})}, c.flags...)...)
		client := dial(t, g.url, rpc.WithHTTPHeader(http.Header{"X-Auth-Request-User": {"handshake"}, "Authorization": {"handshake"}}))
		keys := []string{"x-auth-request-user", "x-groups", "x_groups", "authorization", "cookie", "x-real-ip", "x-tenant", "x-forwarded-for"}
		ctx := t.Context()
		for _, key := range keys {
			ctx = metadata.AppendToOutgoingContext(ctx, key, "call")
		}
		c.want["x-forwarded-for"] = "127.0.0.1"
		for key, want := range c.want {
			if got, err := saidWith(ctx, client, key); err != nil || got != want {
				t.Errorf("%s: %s: %q, %v; want %q", name, key, got, err, want)
			}
		}
	}
}

// TestCallsAtOnceTellTheSameAddresses: all calls share the list of the
// handshake, which has spare capacity.
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

// TestLimitsByAddressAreThoseOfTheClientBehindATrustedProxy: without the flag
// all clients of a proxy have its address, whatever they send.
func TestLimitsByAddressAreThoseOfTheClientBehindATrustedProxy(t *testing.T) {
	for _, trusted := range []bool{true, false} {
		args := []string{"gateway", "--listen", "127.0.0.1:0", "--backend", listen(t, &tester{}), "--max-connections-per-address", "1"}
		if trusted {
			args = append(args, "--trusted-proxy", "127.0.0.0/8")
		}
		g := serve(t, args...)
		for i, addr := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.2"} {
			conn, err := rpc.Dial(t.Context(), g.url, rpc.WithHTTPHeader(http.Header{"X-Forwarded-For": {addr}}))
			if want := i == 0 || trusted && i == 1; (err == nil) != want {
				t.Errorf("trusted: %t, connection %d, from %s: %v", trusted, i, addr, err)
			}
			if err == nil {
				defer conn.Close()
			}
		}
	}
}
