package cluster_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/ext/cluster"
)

// BenchmarkFanOut publishes to 300 subscribers on three nodes. One operation is
// one delivery. At most 64 messages are on their way, and queues are so long that
// none is dropped.
func BenchmarkFanOut(b *testing.B) {
	for name, opts := range map[string][]cluster.TopicOption{
		"Ephemeral": {cluster.WithQueue(1<<15, cluster.DropOldest)},
		"History":   {cluster.WithHistory(1000, time.Hour)},
	} {
		b.Run(name, func(b *testing.B) { benchmarkFanOut(b, opts) })
	}
}

func benchmarkFanOut(b *testing.B, opts []cluster.TopicOption) {
	const nodes, subscribers, inFlight = 3, 300, 64
	ctx, cancel := context.WithCancel(b.Context())
	bus := cluster.NewMemoryBus()
	var (
		all              sync.WaitGroup
		ready, delivered atomic.Int64
		gaps             atomic.Int64
		topics           []*topic
	)
	room := make(chan struct{}, inFlight)
	for range nodes {
		n := cluster.NewTopics(bus)
		defer n.Close()
		topics = append(topics, cluster.TopicOf[*text](n.Node, "room", opts...))
	}
	for i := range subscribers {
		all.Go(func() {
			for d, err := range topics[i%nodes].Subscribe(ctx, "") {
				switch {
				case err != nil:
					return
				case d.Gap.Missing():
					gaps.Add(1)
				case d.Message.Value == "ready":
					ready.Add(1)
				case delivered.Add(1)%subscribers == 0:
					<-room
				}
			}
		})
	}
	for deadline := time.Now().Add(time.Minute); ready.Load() < subscribers && time.Now().Before(deadline); {
		ready.Store(0)
		if err := topics[0].Publish(ctx, wrapperspb.String("ready")); err != nil {
			b.Fatal(err)
		}
		<-time.After(20 * time.Millisecond) // then those ask again that had not subscribed
	}
	gaps.Store(0) // a publisher began at the moment when some subscribed
	msg := wrapperspb.String(strings.Repeat("a", 100))
	b.ReportAllocs()
	b.ResetTimer()
	for range (b.N + subscribers - 1) / subscribers {
		room <- struct{}{}
		if err := topics[0].Publish(ctx, msg); err != nil {
			b.Fatal(err)
		}
	}
	for range inFlight { // until all are delivered
		room <- struct{}{}
	}
	b.StopTimer()
	if n := gaps.Load(); n > 0 {
		b.Errorf("%d gaps", n)
	}
	b.ReportMetric(float64(delivered.Load())/b.Elapsed().Seconds(), "deliveries/s")
	cancel()
	all.Wait()
}
