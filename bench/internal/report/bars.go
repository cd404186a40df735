package report

import (
	"fmt"

	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/stat"
)

// verdict is a bar with its result.
type verdict struct {
	workload, bar, measured, result string
}

const (
	met         = "met"
	missed      = "**missed**"
	notMeasured = "not measured"
)

// verdicts judges all bars: those of the workloads, then those of the sweeps.
func (r *Report) verdicts() (all []verdict) {
	for _, w := range drive.Workloads() {
		for _, b := range w.Bars {
			all = append(all, r.judge(w, b))
		}
	}
	for _, s := range drive.Sweeps() {
		all = append(all, r.judgeSweep(s))
	}
	return all
}

func (r *Report) judge(w *drive.Workload, b drive.Bar) verdict {
	sign := "≤"
	if b.Metric.Higher {
		sign = "≥"
	}
	v := verdict{
		workload: fmt.Sprintf("%s: %s", w.Title, b.Metric.Name),
		bar:      sign + " " + plain(b.Limit),
	}
	who := b.Target
	if who == "" {
		who = subject
	} else {
		v.workload += " of " + who
	}
	var (
		s    stat.Summary
		ok   bool
		unit string
	)
	if b.Against == "" {
		s, ok = r.Figure(w.Name, who, b.Metric.Name)
	} else {
		s, ok = r.barRatio(w, who, b)
		v.bar += "x" + base(who, b)
		unit = "x"
	}
	if !ok {
		v.result = notMeasured
		return v
	}
	v.measured = fmt.Sprintf("%s%s (%s .. %s)", Number(s.Median), unit, Number(s.Min), Number(s.Max))
	v.result = missed
	if b.Metric.Higher && s.Median >= b.Limit || !b.Metric.Higher && s.Median <= b.Limit {
		v.result = met
	}
	return v
}

// barRatio summarizes the ratio that a bar is about.
func (r *Report) barRatio(w *drive.Workload, who string, b drive.Bar) (stat.Summary, bool) {
	other := w.Name
	if b.Workload != "" {
		other = b.Workload
	}
	return ratio(r.find(w.Name, who), r.find(other, b.Against), b.Metric.Name)
}

// base names what a bar refers to, beyond what the page says of all bars.
func base(who string, b drive.Bar) string {
	switch {
	case b.Workload != "" && b.Against == who:
		return " of " + b.Workload
	case b.Workload != "":
		return " of " + b.Workload + " of " + b.Against
	case b.Against != reference:
		return " of " + b.Against
	}
	return ""
}

// judgeSweep compares each point with the best one of smaller loads if the
// metric is better higher, and with the first one otherwise.
func (r *Report) judgeSweep(s *drive.Sweep) verdict {
	metric := s.Workloads[0].Metrics[0]
	points := r.points(s, subject)
	v := verdict{workload: fmt.Sprintf("%s: %s", s.Title, metric.Name)}
	if metric.Higher {
		v.bar = fmt.Sprintf("never below %sx of what it was with less load", plain(1-s.Slack))
	} else {
		v.bar = fmt.Sprintf("never above %sx of the first", plain(1+s.Slack))
	}
	if len(points) < 2 {
		v.result = notMeasured
		return v
	}
	base, worst, at := points[0].Median, points[1].Median/points[0].Median, points[1].x
	for _, p := range points[1:] {
		ratio := p.Median / base
		if metric.Higher {
			base = max(base, p.Median)
		}
		if metric.Higher && ratio < worst || !metric.Higher && ratio > worst {
			worst, at = ratio, p.x
		}
	}
	v.measured = fmt.Sprintf("%s at %s", times(worst), thousands(int64(at)))
	v.result = met
	if metric.Higher && worst < 1-s.Slack || !metric.Higher && worst > 1+s.Slack {
		v.result = missed
	}
	return v
}

// point is one point of a sweep.
type point struct {
	x int
	stat.Summary
}

// points returns the measured points of a target.
func (r *Report) points(s *drive.Sweep, target string) (points []point) {
	for _, w := range s.Workloads {
		if sum, ok := r.Figure(w.Name, target, w.Metrics[0].Name); ok {
			points = append(points, point{x: w.X, Summary: sum})
		}
	}
	return points
}
