package drive

// Metric is one figure of a workload.
type Metric struct {
	Name   string // with its unit
	Higher bool   // higher is better
}

// Figures are the results of one measurement, by the names of metrics.
type Figures map[string]float64

// The metrics.
var (
	CallRate    = Metric{Name: "calls/s", Higher: true}
	MessageRate = Metric{Name: "messages/s", Higher: true}
	TurnRate    = Metric{Name: "round trips/s", Higher: true}
	ByteRate    = Metric{Name: "MB/s", Higher: true}
	P50         = Metric{Name: "p50 µs"}
	P99         = Metric{Name: "p99 µs"}
	CPU         = Metric{Name: "CPU µs"} // of both processes, for each call or message
	Allocs      = Metric{Name: "allocations"}
	AllocBytes  = Metric{Name: "bytes allocated"}
	Overhead    = Metric{Name: "bytes"}
	Resident    = Metric{Name: "KiB resident"}
	HeapStacks  = Metric{Name: "KiB heap and stacks"}
	Growth      = Metric{Name: "times the quiet p99"}
	QuietP99    = Metric{Name: "quiet p99 µs"}
)
