package report

import (
	"strings"

	"github.com/parley-rpc/parley/bench/internal/chart"
	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/path"
	"github.com/parley-rpc/parley/bench/internal/wan"
)

// wanChart is a chart with the name of its file.
type wanChart struct {
	file  string
	lines chart.Lines
}

// Charts returns the charts of the page by the names of their files.
func (r *WAN) Charts() map[string][]byte {
	charts := make(map[string][]byte)
	for _, c := range r.wanCharts() {
		if len(c.lines.Series) > 0 {
			charts[c.file] = c.lines.SVG()
		}
	}
	return charts
}

// wanCharts returns charts over the round trip: for Go, and for TypeScript.
func (r *WAN) wanCharts() (all []wanChart) {
	for _, w := range []string{"download", "upload"} {
		for _, group := range r.languages() {
			file := "wan-" + w + group.file
			all = append(all,
				wanChart{file + ".svg", r.byRoundTrip(w, group.targets, wan.ByteRate, chart.Lines{
					Title: "How much of the link the " + w + " of one stream fills, " + group.name,
					YName: "percent of the link's rate (more is better)",
				})},
				wanChart{file + "-calls.svg", r.byRoundTrip(w, group.targets, wan.P50, chart.Lines{
					Title: "Small calls beside the " + w + ", " + group.name,
					YName: "median, in ms (less is better)",
				})},
			)
		}
	}
	return all
}

// language is targets that are in the same charts.
type language struct {
	name, file string
	targets    []string
}

func (r *WAN) languages() []language {
	all := []language{{name: "Go"}, {name: "TypeScript", file: "-typescript"}}
	for _, t := range r.Targets {
		i := 0
		if strings.Contains(t.Name, "/") { // RUNTIME/LIBRARY
			i = 1
		}
		all[i].targets = append(all[i].targets, t.Name)
	}
	return all
}

// byRoundTrip fills in the series of a chart, of the paths that have a rate.
func (r *WAN) byRoundTrip(workload string, targets []string, m drive.Metric, l chart.Lines) chart.Lines {
	l.XName, l.Format, l.Tick = "round trip in ms, logarithmic", Number, plain
	for i, target := range targets {
		line := chart.Line{Name: target, Colour: i}
		for _, at := range wan.Paths() {
			if p, ok := r.chartPoint(at, workload, target, m); ok && at.Down > 0 {
				line.Points = append(line.Points, p)
			}
		}
		if len(line.Points) > 0 {
			l.Series = append(l.Series, line)
		}
	}
	return l
}

// chartPoint is what was measured over a path. Rates are in percent of the
// link's.
func (r *WAN) chartPoint(at path.Path, workload, target string, m drive.Metric) (chart.Point, bool) {
	s, ok := r.Over(at, workload, target, m.Name)
	unit := 1.0
	if m == wan.ByteRate {
		unit = wan.LinkRate(at, workload) / 100
	}
	return chart.Point{
		X: float64(at.RoundTrip.Milliseconds()),
		Y: s.Median / unit, Low: s.Min / unit, High: s.Max / unit,
	}, ok
}
