package rpc

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// flood asks for turns from one address, for a time and at a rate, and returns
// how many it got.
func flood(t *handshakeQueue, s clientClass, addr string, perSecond int, d time.Duration) (asked, got int) {
	var (
		mu  sync.Mutex
		all sync.WaitGroup
	)
	for until := time.Now().Add(d); time.Now().Before(until); asked++ {
		all.Go(func() {
			if t.acquire(context.Background(), s, addr) {
				mu.Lock()
				defer mu.Unlock()
				got++
			}
		})
		<-time.After(time.Second / time.Duration(perSecond))
	}
	all.Wait()
	return asked, got
}

// duringFlood runs f while one address asks for turns at twice the server's
// rate.
func duringFlood(t *testing.T, s clientClass, perSecond int, f func(*handshakeQueue)) {
	synctest.Test(t, func(*testing.T) {
		turns := newHandshakeQueue(perSecond)
		var flooding sync.WaitGroup
		flooding.Go(func() { flood(turns, s, "192.0.2.66", 2*perSecond, 10*time.Second) })
		<-time.After(3 * time.Second)
		f(turns)
		flooding.Wait()
	})
}

func TestHandshakesWithinTheirRateDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns, began := newHandshakeQueue(100), time.Now()
		for i := range 200 {
			if !turns.acquire(t.Context(), classCredentials, "192.0.2.1") || time.Since(began) != time.Duration(i)*10*time.Millisecond {
				t.Fatalf("handshake %d was refused, or has waited until %v", i, time.Since(began))
			}
			<-time.After(10 * time.Millisecond)
		}
	})
}

func TestHandshakesBeyondTheirRateTakeTurnsAndAreRefusedAtOnceWhereTheyWouldWaitTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newHandshakeQueue(100)
		asked, got := flood(turns, classCredentials, "192.0.2.1", 1000, 10*time.Second)
		if got < 1000 || got > 1103 { // 100 a second, and those that still wait at the end
			t.Errorf("%d of %d were served in 10 s", got, asked)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		turns, began, refused := newHandshakeQueue(100), time.Now(), 0
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() { turns.acquire(t.Context(), classCredentials, "192.0.2.1") })
		}
		synctest.Wait()
		for range 50 {
			if !turns.acquire(t.Context(), classCredentials, "192.0.2.1") {
				refused++
			}
		}
		if took := time.Since(began); refused != 50 || took != 0 {
			t.Errorf("%d of 50 were refused, after %v", refused, took)
		}
		all.Wait()
	})
}

// TestFloodFromOneAddressCostsOthersNoHandshake: the flood and the others get
// half of the turns each.
func TestFloodFromOneAddressCostsOthersNoHandshake(t *testing.T) {
	for _, rate := range []int{100, 1000} {
		duringFlood(t, classCredentials, rate, func(turns *handshakeQueue) {
			for i := range 30 {
				began := time.Now()
				if !turns.acquire(context.Background(), classCredentials, fmt.Sprint("198.51.100.", i)) || time.Since(began) > 100*time.Millisecond {
					t.Errorf("%d a second: an honest client was refused or has waited for %v", rate, time.Since(began))
				}
			}
			if asked, got := flood(turns, classCredentials, "203.0.113.1", rate/3, time.Second); got != asked {
				t.Errorf("%d a second: an address that keeps within its half got %d of %d turns", rate, got, asked)
			}
		})
	}
}

// TestFloodWithoutCredentialsCostsThoseWithSomeNoHandshake has both at the same
// address.
func TestFloodWithoutCredentialsCostsThoseWithSomeNoHandshake(t *testing.T) {
	for s, better := range map[clientClass][]clientClass{classAnonymous: {classKnown, classCredentials}, classCredentials: {classKnown}} {
		duringFlood(t, s, 100, func(turns *handshakeQueue) {
			for _, b := range better {
				if asked, got := flood(turns, b, "192.0.2.66", 50, time.Second); got != asked {
					t.Errorf("flood of %d: %d got %d of %d turns", s, b, got, asked)
				}
			}
		})
	}
}

// TestNoClientClassStarvesAnother: new clients connect, however many reconnect.
func TestNoClientClassStarvesAnother(t *testing.T) {
	duringFlood(t, classKnown, 1000, func(turns *handshakeQueue) {
		if asked, got := flood(turns, classCredentials, "198.51.100.1", 150, time.Second); got != asked {
			t.Errorf("with credentials: %d of %d", got, asked)
		}
		if asked, got := flood(turns, classAnonymous, "198.51.100.2", 30, time.Second); got != asked {
			t.Errorf("without: %d of %d", got, asked)
		}
	})
}

func TestThousandsOfClientsBehindOneAddressAllConnectAfterADeploy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns, began := newHandshakeQueue(1000), time.Now()
		var all sync.WaitGroup
		for i := range 5000 {
			all.Go(func() {
				for !turns.acquire(t.Context(), classCredentials, "192.0.2.1") {
					<-time.After(time.Second + time.Duration(i)*time.Millisecond/5) // as with Retry-After and backoff
				}
			})
		}
		all.Wait()
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestRefusedHandshakesTakeAFourthOfATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newHandshakeQueue(100)
		refused := 0
		for until := time.Now().Add(10 * time.Second); time.Now().Before(until); refused++ {
			if !turns.acquire(t.Context(), classAnonymous, "192.0.2.1") {
				t.Fatal("the only client was turned away")
			}
			turns.refund()
		}
		if refused < 3900 || refused > 4100 {
			t.Errorf("%d in 10 s, want 4 for each of 1000 turns", refused)
		}
	})
}

func TestAbandonedHandshakeLeavesTheWaitlist(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newHandshakeQueue(10)
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() { turns.acquire(ctx, classCredentials, fmt.Sprint(i%2)) })
		}
		synctest.Wait()
		cancel()
		all.Wait()
		if l := &turns.classes[classCredentials]; turns.anyQueued() || l.order.Len() != 0 || len(l.byAddr) != 0 {
			t.Errorf("%d wait still, of %d addresses", turns.queued(), len(l.byAddr))
		}
		<-time.After(time.Second)
		if began := time.Now(); !turns.acquire(t.Context(), classCredentials, "next") || time.Since(began) != 0 {
			t.Error("the next one has to wait")
		}
	})
}
