package drive

import "fmt"

// Sweeps returns the workloads that are run at growing sizes. They are for
// parley and the reference only, unless targets are chosen by name.
func Sweeps() []*Sweep {
	return []*Sweep{inFlight(), openStreams(), openConns()}
}

// slack is how much runs of the same workload may differ.
const slack = 0.1

func inFlight() *Sweep {
	s := &Sweep{
		Name: "in-flight", Title: "unary 100 B, by calls in flight", Short: "Small calls, by how many are in flight",
		XName: "calls in flight", YName: "calls/s", Slack: slack,
	}
	for _, n := range []int{1, 4, 16, 64, 256, 1000, 4000} {
		w := Workload{Name: fmt.Sprintf("in-flight-%d", n), X: n, Calls: n, Slow: true, Pair: true}
		s.Workloads = append(s.Workloads, w.with(rate{workers: n, begin: unary(smallSize), metric: CallRate, unit: 1}))
	}
	return s
}

func openStreams() *Sweep {
	const most, beside = 100_000, 64
	s := &Sweep{
		Name:  "open-streams",
		Title: "cost of a unary call of 100 B, 64 in flight, by idle streams open on the same connection",
		Short: "What a small call costs beside idle streams on its connection",
		XName: "open streams", YName: "CPU µs per call, both ends", Slack: slack,
	}
	for _, n := range []int{1, 10, 100, 1000, 10_000, most} {
		w := Workload{Name: fmt.Sprintf("open-streams-%d", n), X: n, Calls: n, Slow: true, Pair: true, Shared: true,
			// The limit is the same at all points, so that it does not affect
			// the figures.
			Setup: Setup{Streams: most + beside}}
		s.Workloads = append(s.Workloads, w.with(crowded{
			streams: n,
			rate:    rate{workers: beside, begin: unary(smallSize), metric: CallRate, unit: 1},
		}))
	}
	return s
}

func openConns() *Sweep {
	s := &Sweep{
		Name:  "open-conns",
		Title: "cost of a unary call of 100 B, 1 in flight, each on the next connection, by connections",
		Short: "What a small call costs among many connections",
		XName: "connections", YName: "CPU µs per call, both ends", Slack: slack,
	}
	for _, n := range []int{1, 10, 100, 1000, 5000} {
		w := Workload{Name: fmt.Sprintf("open-conns-%d", n), X: n, Slow: true, Pair: true}
		s.Workloads = append(s.Workloads, w.with(rotating{conns: n}))
	}
	return s
}
