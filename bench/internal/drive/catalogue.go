package drive

import "context"

// kind is a way to measure.
type kind interface {
	metrics() []Metric
	run(ctx context.Context, b *Bench) (Figures, error)
}

// with returns w with this kind of measurement.
func (w Workload) with(k kind) *Workload {
	w.Metrics, w.Run = k.metrics(), k.run
	if w.Calls == 0 {
		w.Calls = 1
	}
	return &w
}

// reference is the target to which the bars refer.
const reference = "grpc-go"

func against(target string, m Metric, limit float64) Bar {
	return Bar{Metric: m, Against: target, Limit: limit}
}

// floor is the target that does only what calls that share a connection need.
const floor = "frames"

// Workloads returns the workloads outside of sweeps, in the order of the
// report.
func Workloads() []*Workload {
	return append(rates(), costs()...)
}

// calls returns a workload of small unary calls.
func calls(w Workload) *Workload {
	return w.with(rate{workers: max(w.Calls, 1), begin: unary(smallSize), metric: CallRate, unit: 1, p50: w.Calls == 1})
}

func rates() []*Workload {
	const medium, large = mediumSize / 1e6, largeSize / 1e6 // megabytes
	return []*Workload{
		calls(Workload{Name: "unary-1", Title: "unary 100 B, 1 in flight", Calls: 1, Bars: []Bar{against(reference, P50, 0.52)}}),
		calls(Workload{Name: "unary-64", Title: "unary 100 B, 64 in flight", Calls: 64,
			Bars: []Bar{
				against(reference, CallRate, 4.7), against(reference, CPU, 0.19), against(floor, CallRate, 0.78),
				{Target: "parley-grpc", Against: reference, Metric: CallRate, Limit: 2.5},
			}}),
		calls(Workload{Name: "unary-64-options", Calls: 64, Setup: Setup{Options: true},
			Title: "unary 100 B, 64 in flight, with deadline, metadata and interceptors",
			Bars:  []Bar{{Against: "parley", Workload: "unary-64", Metric: CallRate, Limit: 0.75}}}),
		calls(Workload{Name: "unary-1000", Title: "unary 100 B, 1,000 in flight", Calls: 1000,
			Bars: []Bar{against(reference, CallRate, 8), against(floor, CallRate, 0.95)}}),
		Workload{Name: "unary-64k", Title: "unary 64 KiB each way, 16 in flight", Calls: 16,
			Bars: []Bar{against(reference, ByteRate, 1.9)}}.
			with(rate{workers: 16, begin: unary(mediumSize), metric: ByteRate, unit: medium}),
		Workload{Name: "sstream-1", Title: "server stream 100 B, 1 stream",
			Bars: []Bar{against(reference, MessageRate, 2.5)}}.
			with(rate{workers: 1, begin: download(smallSize), metric: MessageRate, unit: 1}),
		Workload{Name: "sstream-100", Title: "server stream 100 B, 100 streams", Calls: 100,
			Bars: []Bar{against(reference, MessageRate, 3.6)}}.
			with(rate{workers: 100, begin: download(smallSize), metric: MessageRate, unit: 1}),
		Workload{Name: "pingpong", Title: "bidi ping-pong 100 B",
			Bars: []Bar{against(reference, TurnRate, 1.5)}}.
			with(rate{workers: 1, begin: talk(smallSize), metric: TurnRate, unit: 1}),
		Workload{Name: "upload", Title: "upload of 1 MiB messages",
			Bars: []Bar{against(reference, ByteRate, 1.15)}}.
			with(rate{workers: 1, begin: upload(largeSize), metric: ByteRate, unit: large}),
		Workload{Name: "download", Title: "download of 1 MiB messages",
			Bars: []Bar{against(reference, ByteRate, 1.2)}}.
			with(rate{workers: 1, begin: download(largeSize), metric: ByteRate, unit: large}),
	}
}

func costs() []*Workload {
	const conns, streams = 2000, 10_000
	return []*Workload{
		Workload{Name: "idle-conns", Title: "server memory per idle connection, 2,000 of them", Slow: true,
			Bars: []Bar{against("", Resident, 12.6), against("", HeapStacks, 12)}}.
			with(idleConns{conns: conns}),
		Workload{Name: "idle-streams", Title: "server memory per open idle bidi stream, 10,000 of them", Slow: true, Calls: streams,
			Setup: Setup{Streams: streams + 1}, Bars: []Bar{against("", Resident, 6), against("", HeapStacks, 4)}}.
			with(idleStreams{streams: streams}),
		Workload{Name: "allocs", Title: "allocations per unary call, both ends together",
			Bars: []Bar{against("", Allocs, 16)}}.
			with(allocations{warmup: 1000, calls: 5000}),
		Workload{Name: "wire", Title: "bytes on the wire per unary call beyond its two messages, 1 in flight", CountsWire: true,
			Bars: []Bar{against("", Overhead, 24)}}.
			with(wire{workers: 1}),
		Workload{Name: "wire-64", Title: "bytes on the wire per unary call beyond its two messages, 64 in flight", CountsWire: true, Calls: 64}.
			with(wire{workers: 64}),
		Workload{Name: "first", Title: "first response on a new connection: dial, handshake, first call",
			Bars: []Bar{against("gorilla", P50, 1.35)}}.
			with(first{warmup: 20, times: 200}),
		Workload{Name: "head-of-line", Title: "p99 of unary 100 B calls beside an upload that saturates their connection", Shared: true, Pair: true,
			Bars: []Bar{against("", Growth, 5)}}.
			with(headOfLine{growth: true, load: rate{workers: 1, begin: upload(largeSize), metric: ByteRate, unit: largeSize / 1e6}}),
		Workload{Name: "beside-streams", Title: "p99 of unary 100 B calls beside 100 server streams that saturate their connection", Shared: true, Pair: true, Calls: 101}.
			with(headOfLine{load: rate{workers: 100, begin: download(smallSize), metric: MessageRate, unit: 1}}),
	}
}
