package cluster_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/ext/cluster"
	"github.com/parley-rpc/parley/ext/cluster/bustest"
)

func TestMemoryBusKeepsTheContract(t *testing.T) {
	bustest.Test(t, func(*testing.T) bustest.Ends {
		bus := cluster.NewMemoryBus()
		return bustest.Ends{Bus: bus, Peer: bus, SetAvailable: bus.SetAvailable}
	})
}

func TestMemoryBusTellsWhatAFullQueueLoses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := cluster.NewMemoryBus()
		var lost, received int
		defer bus.OnChange(func(c cluster.BusChange) {
			if lost++; !c.Lost || !c.Available || !c.LostOf("a") || c.LostOf("b") || c.LostAll() {
				t.Errorf("told %+v", c)
			}
		})()
		resume := make(chan struct{})
		sub, err := bus.Subscribe("a", func(cluster.BusMessage) {
			<-resume // breaks the contract
			received++
		})
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
		var first sync.WaitGroup
		first.Go(func() { _ = bus.Publish("a", nil) })
		synctest.Wait()
		const queue = 4096
		start := time.Now()
		for range queue + 2 {
			if err := bus.Publish("a", nil); err != nil {
				t.Fatal(err)
			}
		}
		if waited := time.Since(start); waited != 100*time.Millisecond {
			t.Errorf("two messages without room waited for %v", waited)
		}
		if lost != 2 {
			t.Errorf("%d losses were told", lost)
		}
		close(resume)
		first.Wait()
		if received != queue+1 {
			t.Errorf("%d messages were received", received)
		}
	})
}

func TestPublisherWaitsForRoomInAQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := cluster.NewMemoryBus()
		defer bus.OnChange(func(c cluster.BusChange) { t.Errorf("told %+v", c) })()
		resume := make(chan struct{})
		sub, err := bus.Subscribe("a", func(cluster.BusMessage) { <-resume })
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
		var all sync.WaitGroup
		for range 10 { // 1 MiB each, and 8 MiB fit
			all.Go(func() { _ = bus.Publish("a", make([]byte, 1<<20)) })
		}
		synctest.Wait()
		close(resume)
		all.Wait()
	})
}
