package rpc_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
)

// loseRaw starts sessions from addresses and loses their links, one after the
// other.
func loseRaw(t *testing.T, srv *rpc.Server, addrs ...string) (hellos []frame.Hello) {
	t.Helper()
	for _, addr := range addrs {
		p, serverHello := shake(t, srv, handshakeFrom(addr), resumable)
		p.link.Cut()
		pass(time.Millisecond)
		hellos = append(hellos, serverHello)
	}
	return hellos
}

// wantAnswer asks to resume a session and checks the answer.
func wantAnswer(t *testing.T, srv *rpc.Server, addr string, serverHello frame.Hello, want frame.Answer) {
	t.Helper()
	p, got := shake(t, srv, handshakeFrom(addr), resumeHello(serverHello))
	if got.Answer != want {
		t.Errorf("from %s: answer %d, want %d", addr, got.Answer, want)
	}
	p.link.Cut()
	synctest.Wait()
}

func TestDetachedConnectionsCountForTheirAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := rpc.NewServer(rpc.WithLimits(rpc.Limits{MaxConnectionsPerAddress: 3}))
		defer srv.Close()
		other := loseRaw(t, srv, "198.51.100.7:1")[0]
		mine := loseRaw(t, srv, "192.0.2.1:1", "192.0.2.1:2", "192.0.2.1:3")
		if n := srv.Connections(); n != 4 {
			t.Fatalf("%d connections before there is one too many", n)
		}
		p, _ := shake(t, srv, handshakeFrom("192.0.2.1:4"), resumable)
		synctest.Wait()
		if n := srv.Connections(); n != 4 {
			t.Errorf("%d connections, want one for one", n)
		}
		wantAnswer(t, srv, "198.51.100.7:1", other, frame.SessionResumed)
		_ = p.link.Close(1000, "")
		synctest.Wait()
		wantAnswer(t, srv, "192.0.2.1:1", mine[0], frame.SessionUnknown) // detached longest
	})
}

func TestAnAddressAtItsBoundStillResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := rpc.NewServer(rpc.WithLimits(rpc.Limits{MaxConnectionsPerAddress: 1}))
		defer srv.Close()
		mine := loseRaw(t, srv, "192.0.2.1:1")[0]
		wantAnswer(t, srv, "192.0.2.1:2", mine, frame.SessionResumed)
	})
}

func TestAFloodOfLostLinksFromOneAddressIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := rpc.NewServer(rpc.WithLimits(rpc.Limits{MaxConnectionsPerAddress: 10}))
		defer srv.Close()
		for i := range 200 {
			loseRaw(t, srv, fmt.Sprint("192.0.2.1:", i+1))
			if n := srv.Connections(); n > 10 {
				t.Fatalf("%d connections after %d lost links", n, i+1)
			}
		}
	})
}

func TestDetachedConnectionsMakeRoomWhereAllAreTooMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := rpc.NewServer(rpc.WithLimits(rpc.Limits{MaxConnections: 4}))
		defer srv.Close()
		honest := loseRaw(t, srv, "198.51.100.7:1")[0]
		for i := range 20 {
			loseRaw(t, srv, fmt.Sprint("192.0.2.1:", i+1))
			if n := srv.Connections(); n > 4 {
				t.Fatalf("%d connections", n)
			}
		}
		wantAnswer(t, srv, "198.51.100.7:1", honest, frame.SessionResumed)
	})
}

// TestOneAddressDoesNotPushOutTheSessionsOfOthers is for sessions without a
// principal.
func TestOneAddressDoesNotPushOutTheSessionsOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := rpc.NewServer(rpc.WithResumption(rpc.Resumption{MaxDetached: 5}))
		defer srv.Close()
		honest := loseRaw(t, srv, "198.51.100.7:1")[0]
		for i := range 50 {
			loseRaw(t, srv, fmt.Sprint("192.0.2.1:", i+1))
		}
		wantAnswer(t, srv, "198.51.100.7:1", honest, frame.SessionResumed)
	})
}

// TestOnePrincipalDoesNotPushOutTheSessionsOfOthers has a principal with many
// addresses.
func TestOnePrincipalDoesNotPushOutTheSessionsOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := rpc.NewServer(rpc.WithResumption(rpc.Resumption{MaxDetached: 5}))
		defer srv.Close()
		lose := func(addr, principal string) frame.Hello {
			r := handshakeFrom(addr)
			p, serverHello := shake(t, srv, r.WithContext(rpc.WithPrincipal(r.Context(), principal)), resumable)
			p.link.Cut()
			pass(time.Millisecond)
			return serverHello
		}
		honest := lose("192.0.2.1:1", "alice")
		for i := range 50 {
			lose(fmt.Sprintf("192.0.2.%d:1", i+1), "mallory")
		}
		r := handshakeFrom("192.0.2.1:1")
		p, got := shake(t, srv, r.WithContext(rpc.WithPrincipal(r.Context(), "alice")), resumeHello(honest))
		if got.Answer != frame.SessionResumed {
			t.Errorf("answer %d", got.Answer)
		}
		p.link.Cut()
	})
}

// TestThousandsOfClientsBehindOneAddressAreResumedByDefault: a company behind
// one router loses its uplink for a moment.
func TestThousandsOfClientsBehindOneAddressAreResumedByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients = 3000
		srv := rpc.NewServer()
		defer srv.Close()
		var raws []*raw
		var hellos []frame.Hello
		for i := range clients {
			p, serverHello := shake(t, srv, handshakeFrom(fmt.Sprint("192.0.2.1:", i+1)), resumable)
			raws, hellos = append(raws, p), append(hellos, serverHello)
		}
		for _, p := range raws {
			p.link.Cut()
		}
		synctest.Wait()
		if n := srv.Connections(); n != clients {
			t.Fatalf("%d connections of %d are left", n, clients)
		}
		for i, serverHello := range hellos {
			p, got := shake(t, srv, handshakeFrom(fmt.Sprint("192.0.2.1:", i+1)), resumeHello(serverHello))
			if got.Answer != frame.SessionResumed {
				t.Fatalf("client %d: answer %d", i, got.Answer)
			}
			raws[i] = p
		}
		for _, p := range raws {
			p.link.Cut()
		}
	})
}

func TestHandshakesOfAnOwnerWaitWhoseSessionsAreEndedForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := rpc.NewServer(rpc.WithResumption(rpc.Resumption{MaxDetached: 1}))
		defer srv.Close()
		began := time.Now()
		for i := range 100 {
			loseRaw(t, srv, fmt.Sprint("192.0.2.1:", i+1))
		}
		if took := time.Since(began); took < time.Second {
			t.Errorf("100 links were lost, and 99 sessions ended for room, in %v", took)
		}
		began = time.Now()
		loseRaw(t, srv, "198.51.100.7:1")
		if took := time.Since(began); took >= 20*time.Millisecond {
			t.Errorf("a client of another address waited for %v", took)
		}
	})
}
