package cluster

import (
	"fmt"
	"runtime"
	"testing"
)

// BenchmarkJoin prints what 10,000 clients cost, without the bus.
func BenchmarkJoin(b *testing.B) {
	const clients = 10_000
	for range b.N {
		bus := nullBus{}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		d := newDirectory(directoryConfig{bus: bus, prefix: "p", self: nodeInfo{ID: newNodeID(), Name: "a"}})
		for i := range clients {
			if err := d.join(fmt.Sprintf("device-%08d", i), fmt.Sprintf("%024d", i), nil); err != nil {
				b.Fatal(err)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/clients, "B/client")
		d.close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*clients), "ns/join")
}

// nullBus is a bus without memory.
type nullBus struct{ Bus }

func (nullBus) OnChange(func(BusChange)) func() { return func() {} }
func (nullBus) Publish(string, []byte) error    { return nil }
func (nullBus) Subscribe(_ string, f func(BusMessage)) (BusSubscription, error) {
	return nullSub{f}, nil
}

type nullSub struct{ receive func(BusMessage) }

func (nullSub) Close() error { return nil }
