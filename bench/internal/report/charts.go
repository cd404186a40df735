package report

import (
	"github.com/parley-rpc/parley/bench/internal/chart"
	"github.com/parley-rpc/parley/bench/internal/drive"
)

// Charts returns the charts of the page by the names of their files.
func (r *Report) Charts() map[string][]byte {
	charts := map[string][]byte{
		"overview.svg": r.overview().SVG(),
		"memory.svg":   r.memory().SVG(),
	}
	for _, s := range drive.Sweeps() {
		charts[s.Name+".svg"] = r.lines(s).SVG()
	}
	return charts
}

func (r *Report) names() (names []string) {
	for _, t := range r.Targets {
		names = append(names, t.Name)
	}
	return names
}

// overview shows by how much each target is better than the reference. Metrics
// where lower is better are inverted.
func (r *Report) overview() chart.Dots {
	d := chart.Dots{
		Title:  "How many times better than " + reference + " (to the right), and the bar (|)",
		Series: r.names(),
		XName:  "times as good as " + reference + ", logarithmic",
		Format: Number,
		Tick:   plain,
	}
	for _, w := range drive.Workloads() {
		metric := w.Metrics[0]
		row := chart.DotRow{Name: w.Name, Mark: r.mark(w)}
		for _, t := range r.Targets {
			ratio, _ := r.Ratio(w.Name, t.Name, reference, metric.Name)
			v := ratio.Median
			if !metric.Higher && v > 0 {
				v = 1 / v
			}
			row.Values = append(row.Values, v)
		}
		if _, ok := r.Figure(w.Name, reference, metric.Name); ok {
			d.Rows = append(d.Rows, row)
		}
	}
	return d
}

// mark returns the position of a workload's bar in the overview, or 0.
func (r *Report) mark(w *drive.Workload) float64 {
	metric := w.Metrics[0]
	for _, b := range w.Bars {
		limit := b.Limit
		if b.Metric != metric || b.Target != "" || b.Workload != "" {
			continue
		}
		if b.Against != reference {
			base := b.Against
			one, ok := r.Figure(w.Name, reference, metric.Name)
			if base != "" {
				ratio, there := r.Ratio(w.Name, base, reference, metric.Name)
				limit *= ratio.Median
				ok = ok && there
			} else {
				limit /= one.Median
			}
			if !ok {
				return 0
			}
		}
		if !metric.Higher {
			limit = 1 / limit
		}
		return limit
	}
	return 0
}

func (r *Report) memory() chart.Bars {
	b := chart.Bars{Title: "Server memory, KiB resident each (less is better), and the bar (|)", Series: r.names(), Format: Number}
	for _, name := range []string{"idle-conns", "idle-streams"} {
		w := drive.Named(name)
		g := chart.BarGroup{Name: w.Title}
		if len(w.Bars) > 0 {
			g.Mark = w.Bars[0].Limit
		}
		for _, t := range r.Targets {
			s, _ := r.Figure(name, t.Name, drive.Resident.Name)
			g.Values = append(g.Values, max(s.Median, 0))
		}
		b.Groups = append(b.Groups, g)
	}
	return b
}

func (r *Report) lines(s *drive.Sweep) chart.Lines {
	metric := s.Workloads[0].Metrics[0]
	l := chart.Lines{Title: s.Short, XName: s.XName + ", logarithmic", YName: s.YName, Format: Number, Tick: plain}
	if metric.Higher {
		l.YName += " (more is better)"
	} else {
		l.YName += " (less is better)"
	}
	for i, t := range r.Targets {
		line := chart.Line{Name: t.Name, Colour: i}
		for _, p := range r.points(s, t.Name) {
			line.Points = append(line.Points, chart.Point{X: float64(p.x), Y: p.Median, Low: p.Min, High: p.Max})
		}
		if len(line.Points) > 0 {
			l.Series = append(l.Series, line)
		}
	}
	return l
}
