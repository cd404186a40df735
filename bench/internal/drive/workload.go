package drive

import "context"

// Workload is something that is measured.
type Workload struct {
	Name    string
	Title   string
	Metrics []Metric // the first is what targets are compared by
	// Run measures it once.
	Run func(ctx context.Context, b *Bench) (Figures, error)

	setup      Setup
	countsWire bool
}

// kind is a way to measure.
type kind interface {
	metrics() []Metric
	run(ctx context.Context, b *Bench) (Figures, error)
}

func workload(name, title string, k kind) *Workload {
	return &Workload{Name: name, Title: title, Metrics: k.metrics(), Run: k.run}
}

// Workloads returns all, in the order of the report.
func Workloads() []*Workload {
	small, medium, large := smallSize, mediumSize, largeSize
	megabytes := func(size int) float64 { return float64(size) / 1e6 }
	return []*Workload{
		workload("unary-1", "unary 100 B, 1 in flight", rate{workers: 1, begin: unary(small), metric: CallRate, p50: true}),
		workload("unary-64", "unary 100 B, 64 in flight", rate{workers: 64, begin: unary(small), metric: CallRate}),
		workload("unary-1000", "unary 100 B, 1,000 in flight", rate{workers: 1000, begin: unary(small), metric: CallRate}),
		workload("unary-64k", "unary 64 KiB each way, 16 in flight",
			rate{workers: 16, begin: unary(medium), metric: ByteRate, unit: megabytes(medium)}),
		workload("sstream-1", "server stream 100 B, 1 stream", rate{workers: 1, begin: download(small), metric: MessageRate}),
		workload("sstream-100", "server stream 100 B, 100 streams", rate{workers: 100, begin: download(small), metric: MessageRate}),
		workload("pingpong", "bidi ping-pong 100 B", rate{workers: 1, begin: talk(small), metric: TurnRate}),
		workload("upload", "upload of 1 MiB messages", rate{workers: 1, begin: upload(large), metric: ByteRate, unit: megabytes(large)}),
		workload("download", "download of 1 MiB messages", rate{workers: 1, begin: download(large), metric: ByteRate, unit: megabytes(large)}),
		workload("allocs", "allocations per unary call, both ends together", allocations{warmup: 1000, calls: 5000}),
	}
}

// Named returns the workload of a name, or nil.
func Named(name string) *Workload {
	for _, w := range Workloads() {
		if w.Name == name {
			return w
		}
	}
	return nil
}
