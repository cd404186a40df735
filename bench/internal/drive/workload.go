package drive

import (
	"context"
	"slices"
)

// Workload is something that is measured.
type Workload struct {
	Name  string
	Title string
	// Metrics are the results of Run. Targets are compared by the first.
	Metrics []Metric
	Bars    []Bar
	// Run measures it once.
	Run func(ctx context.Context, b *Bench) (Figures, error)

	// Setup is the configuration of both ends beyond the defaults.
	Setup Setup
	// CountsWire has the server count what its connections carry, which slows
	// it down.
	CountsWire bool
	// Calls is the highest number of calls in flight.
	Calls int
	// Shared means that the calls share a connection.
	Shared bool
	// Slow means that it takes long, and is measured in fewer rounds.
	Slow bool
	// Pair means that it compares parley and the reference. Other targets run
	// it only if they are chosen by name.
	Pair bool
	// X is its place in a sweep.
	X int
}

// Bar is a result that must be reached.
type Bar struct {
	Metric   Metric
	Target   string  // which must reach it; "": parley
	Against  string  // the target whose figure of the same round is 1; "": the figure itself
	Workload string  // of that figure; "": the same
	Limit    float64 // the minimum; for a metric where lower is better, the maximum
}

// Suits reports whether the workload is possible and meaningful on a target.
func (w *Workload) Suits(a About) bool {
	switch {
	case slices.Contains(a.Lacks, w.Name), w.Setup.Options && !a.Options:
		return false
	case a.Shares == Alone:
		return w.Calls == 1 && !w.Shared
	case a.Shares == Pooled:
		return !w.Shared
	}
	return true
}

// Sweep is one workload at growing sizes.
type Sweep struct {
	Name      string
	Title     string
	Short     string // a title for a chart
	XName     string
	YName     string // the first metric of the workloads, in words
	Workloads []*Workload
	// Slack is the share by which the first metric may be worse than with less
	// load, because of noise.
	Slack float64
}

// Named returns the workload of a name, including those of sweeps, or nil.
func Named(name string) *Workload {
	for _, w := range Everything() {
		if w.Name == name {
			return w
		}
	}
	return nil
}

// Everything returns all workloads, including those of the sweeps.
func Everything() []*Workload {
	all := Workloads()
	for _, s := range Sweeps() {
		all = append(all, s.Workloads...)
	}
	return all
}
