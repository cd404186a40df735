package transport_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/transport"
)

// TestManyStreamsProceedWithTheSmallestQueues has streams send small and larger
// messages both ways, more than fits into any queue. None of them stalls.
func TestManyStreamsProceedWithTheSmallestQueues(t *testing.T) {
	for _, queue := range []int{1, 100, 1000, 16 << 10, 0} {
		t.Run(fmt.Sprint(queue), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := transport.Parameters{WriteQueue: queue, ReplayLimit: 64 << 10, MaxReplay: 64 << 10}
				var sessions transport.Sessions
				d, a := pair(t,
					transport.Config{Parameters: p, OnDetached: func(*transport.Session, error) {}},
					transport.Config{Parameters: p, Sessions: &sessions})
				const streams, messages = 40, 60
				var all sync.WaitGroup
				for range streams {
					all.Go(func() {
						st, err := d.Open(t.Context(), []byte("up"))
						if err != nil {
							t.Error(err)
							return
						}
						exchangeNumbers(t, st, messages)
					})
					all.Go(func() {
						st, err := a.Accept(t.Context())
						if err != nil {
							t.Error(err)
							return
						}
						exchangeNumbers(t, st, messages)
					})
				}
				all.Wait()
			})
		})
	}
}
