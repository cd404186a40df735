package wan

import (
	"time"

	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/path"
)

// Goal is what a target has to reach over a path.
type Goal struct {
	Path     path.Path
	Target   string
	Workload string
	Metric   drive.Metric
	Unit     Unit
	Against  string  // another target, for Times
	Limit    float64 // the least, or, of a metric that is better when it is lower, the most
}

// Unit is what a goal counts in.
type Unit int

const (
	// Plain is the unit of the metric.
	Plain Unit = iota
	// Link is the share of the link's rate.
	Link
	// Times is the ratio to another target.
	Times
	// RoundTrips is round trips, with Slack for what both ends compute.
	RoundTrips
)

// Slack is added to a number of round trips.
const Slack = 10 * time.Millisecond

// bar is a limit with its unit.
type bar struct {
	unit    Unit
	against string
	limit   float64
}

func ofLink(share float64) bar           { return bar{unit: Link, limit: share} }
func times(limit float64, of string) bar { return bar{unit: Times, against: of, limit: limit} }
func roundTrips(n float64) bar           { return bar{unit: RoundTrips, limit: n} }
func plain(limit float64) bar            { return bar{limit: limit} }

// bars is what parley has to reach over a path.
type bars struct {
	rate       bar     // of downloads and uploads
	calls      float64 // milliseconds of the median small call beside them
	firstMiB   bar
	first16MiB bar
}

// pathBars returns those of a path, or none.
func pathBars(p path.Path) (b bars, ok bool) {
	const drpc = "drpc"
	switch p.String() {
	case "20ms-50mbit":
		return bars{ofLink(0.95), 45, times(1.3, drpc), times(1.1, drpc)}, true
	case "30ms-1gbit":
		return bars{ofLink(0.90), 60, times(2, drpc), times(1.5, drpc)}, true
	case "100ms-100mbit":
		return bars{ofLink(0.95), 130, roundTrips(3), times(1.3, drpc)}, true
	case "200ms-200mbit":
		return bars{ofLink(0.92), 240, roundTrips(3), times(1.5, drpc)}, true
	case "100ms-unlimited":
		return bars{times(1.5, "grpc-go"), 130, roundTrips(3), roundTrips(6)}, true
	}
	return b, false
}

// Goals returns the goals of a path.
func Goals(p path.Path) (all []Goal) {
	add := func(target, workload string, m drive.Metric, b bar) {
		all = append(all, Goal{Path: p, Target: target, Workload: workload, Metric: m, Unit: b.unit, Against: b.against, Limit: b.limit})
	}
	b, ok := pathBars(p)
	add(subject, "first", FirstCall, roundTrips(2))
	if ok {
		add(subject, "download", FirstMiB, b.firstMiB)
		add(subject, "download", First16MiB, b.first16MiB)
		for _, w := range []string{"download", "upload"} {
			add(subject, w, ByteRate, b.rate)
			add(subject, w, P50, plain(b.calls))
		}
	}
	for _, w := range []string{"download-8", "upload-8"} {
		add(subject, w, LeastShare, plain(0.7))
		add(subject, w, MostShare, plain(1.4))
	}
	add(subject, "cut", Resumed, roundTrips(3))
	if !ok {
		return all
	}
	rate := ofLink(0.9)
	if p.Down == 0 {
		rate = plain(100)
	}
	const more = 20 // milliseconds of a small call
	for _, runtime := range []string{node, chromium} {
		target := runtime + "/" + subject
		if p.Down == 0 || mebibyte/float64(p.Down) < p.RoundTrip.Seconds() { // otherwise the link takes most of the time
			add(target, "download", FirstMiB, roundTrips(4))
		}
		for _, w := range []string{"download", "upload"} {
			add(target, w, ByteRate, rate)
			add(target, w, P50, plain(b.calls+more))
		}
	}
	return all
}

// LinkRate is that of the link in the direction of a workload, in megabytes per
// second.
func LinkRate(p path.Path, workload string) float64 {
	if Named(workload).Up {
		return float64(p.Up) / 1e6
	}
	return float64(p.Down) / 1e6
}
