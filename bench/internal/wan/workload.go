package wan

import (
	"context"

	"github.com/parley-rpc/parley/bench/internal/drive"
)

// Workload is something that is measured over a path.
type Workload struct {
	Name    string
	Title   string
	Metrics []drive.Metric
	Up      bool   // data goes from the client to the server
	Only    string // the only target that it is about, or "" for all
	run     func(ctx context.Context, b *bench) (drive.Figures, error)
}

// The metrics.
var (
	ByteRate   = drive.Metric{Name: "MB/s", Higher: true}
	FirstCall  = drive.Metric{Name: "first call ms"}
	FirstMiB   = drive.Metric{Name: "first MiB ms"}
	First16MiB = drive.Metric{Name: "first 16 MiB ms"}
	P50        = drive.Metric{Name: "small call p50 ms"}
	P99        = drive.Metric{Name: "small call p99 ms"}
	LeastShare = drive.Metric{Name: "least share", Higher: true}
	MostShare  = drive.Metric{Name: "most share"}
	Resumed    = drive.Metric{Name: "data again ms"}
	SentTwice  = drive.Metric{Name: "MiB sent twice"}
)

// Streams is how many streams the workloads with several have.
const Streams = 8

// Workloads returns all workloads, in the order of the report.
func Workloads() []*Workload {
	shares := []drive.Metric{ByteRate, LeastShare, MostShare}
	return []*Workload{
		{Name: "first", Title: "first call on a new connection",
			Metrics: []drive.Metric{FirstCall}, run: firstCall},
		{Name: "download", Title: "download of 64 KiB messages on a new connection, and small calls beside it",
			Metrics: []drive.Metric{FirstMiB, First16MiB, ByteRate, P50, P99}, run: transfer{streams: 1}.run},
		{Name: "upload", Up: true, Title: "upload of 64 KiB messages, and small calls beside it",
			Metrics: []drive.Metric{ByteRate, P50, P99}, run: transfer{streams: 1, up: true}.run},
		{Name: "download-8", Title: "8 downloads of 64 KiB messages at once on a connection",
			Metrics: shares, run: transfer{streams: Streams}.run},
		{Name: "upload-8", Up: true, Title: "8 uploads of 64 KiB messages at once on a connection",
			Metrics: shares, run: transfer{streams: Streams, up: true}.run},
		{Name: "cut", Title: "link reset in the middle of a download of 64 KiB messages", Only: subject,
			Metrics: []drive.Metric{Resumed, SentTwice}, run: cutLink},
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
