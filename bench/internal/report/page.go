package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/parley-rpc/parley/bench/internal/drive"
)

// page is a Markdown text under construction.
type page struct{ strings.Builder }

func (p *page) printf(format string, args ...any) { fmt.Fprintf(p, format, args...) }

// row writes a row of a table.
func (p *page) row(cells ...string) { p.printf("| %s |\n", strings.Join(cells, " | ")) }

// alignment is the alignment of the columns of a table, except the first.
type alignment string

const (
	left  alignment = "|---"
	right alignment = "|--:"
)

// head writes a row of titles.
func (p *page) head(rest alignment, cells ...string) {
	p.row(cells...)
	p.printf("|---%s|\n", strings.Repeat(string(rest), len(cells)-1))
}

// Page returns benchmarks.md. The charts of Charts are in the folder
// benchmarks. The notes are written by hand, in Markdown with headings of the
// third level.
func (r *Report) Page(notes string) string {
	p := new(page)
	r.writeIntroduction(p)
	r.writeBars(p)
	p.printf("\n## Explanations\n\n%s\n", strings.TrimSpace(notes))
	r.writeOverview(p)
	p.printf("\n## All figures\n\n")
	p.printf("Medians of the rounds, with the minimum and the maximum. A ratio is to %s within the same round.\n", reference)
	for _, w := range drive.Workloads() {
		r.writeWorkload(p, w)
	}
	for _, s := range drive.Sweeps() {
		r.writeSweep(p, s)
	}
	return p.String()
}

func (r *Report) writeIntroduction(p *page) {
	p.printf(`# Benchmarks

<!-- Written by make bench. Explanations are in bench/notes.md. -->

Parley beside other RPC frameworks, and beside two floors without RPC: bare WebSocket messages (gorilla), and frames with
Protocol Buffers messages that share a WebSocket (frames). parley-grpc is parley with the stubs of grpc-go. All have the
same service, the same payloads and the same driver, over the loopback interface without TLS. All run with their defaults,
parley with resumption; [bench/README.md](../bench/README.md) lists the exceptions, and how each figure is measured. Client
and server are new processes for each measurement. The rounds are interleaved: absolute figures move with the machine, and
ratios within a round hold.

`)
	p.head(left, "measured on", "")
	p.row("CPU", fmt.Sprintf("%s, %d cores", r.Machine.CPU, r.Machine.Cores))
	p.row("kernel", r.Machine.Kernel)
	p.row("Go", strings.TrimPrefix(r.Machine.Go, "go"))
	for _, t := range r.Targets {
		p.row(t.Name, fmt.Sprintf("%s, %s", t.Module, t.Version))
	}
	p.row("rounds", fmt.Sprintf("%d, of %s s each", r.Rounds, Number(r.Seconds)))
	p.row("command", "`"+r.Command+"`")
}

func (r *Report) writeBars(p *page) {
	p.printf("\n## What parley has to reach\n\nRatios are to %s unless another is named.\n\n", reference)
	p.head(left, "workload", "bar", "measured", "")
	for _, v := range r.verdicts() {
		p.row(v.workload, v.bar, v.measured, v.result)
	}
}

// writeOverview compares all targets by the first metric of each workload.
func (r *Report) writeOverview(p *page) {
	p.printf("\n## Side by side\n\n")
	p.printf("![How many times better than %s each target is](benchmarks/overview.svg)\n\n", reference)
	titles := []string{"workload", "", reference + ", absolute"}
	var others []string
	for _, t := range r.Targets {
		if t.Name != reference {
			others = append(others, t.Name)
			titles = append(titles, t.Name)
		}
	}
	p.head(right, titles...)
	for _, w := range drive.Workloads() {
		metric, better := w.Metrics[0], "lower is better"
		if metric.Higher {
			better = "higher is better"
		}
		absolute, ok := r.Figure(w.Name, reference, metric.Name)
		if !ok {
			continue
		}
		cells := []string{w.Title, better, Number(absolute.Median) + " " + metric.Name}
		for _, t := range others {
			cells = append(cells, r.ratioCell(w.Name, t, metric.Name))
		}
		p.row(cells...)
	}
	p.printf("\n![Server memory](benchmarks/memory.svg)\n")
}

// ratioCell formats a ratio to the reference, or a dash.
func (r *Report) ratioCell(workload, target, metric string) string {
	ratio, ok := r.Ratio(workload, target, reference, metric)
	if !ok {
		return "-"
	}
	cell := times(ratio.Median)
	if target == subject {
		cell = "**" + cell + "**"
	}
	return cell
}

// writeWorkload writes all metrics of all targets.
func (r *Report) writeWorkload(p *page, w *drive.Workload) {
	var targets []string
	for _, t := range r.Targets {
		if r.find(w.Name, t.Name) != nil {
			targets = append(targets, t.Name)
		}
	}
	if len(targets) == 0 {
		return
	}
	p.printf("\n### %s\n\n%s.\n\n", w.Name, strings.ToUpper(w.Title[:1])+w.Title[1:])
	titles := []string{"target"}
	for _, m := range w.Metrics {
		titles = append(titles, m.Name, "ratio")
	}
	p.head(right, titles...)
	for _, t := range targets {
		cells := []string{t}
		for _, m := range w.Metrics {
			s, ok := r.Figure(w.Name, t, m.Name)
			if !ok {
				cells = append(cells, "failed", "-")
				continue
			}
			cells = append(cells, Spread(s), r.ratioCell(w.Name, t, m.Name))
		}
		p.row(cells...)
	}
	r.writeErrors(p, w.Name)
}

// writeErrors writes what has failed, each cause once.
func (r *Report) writeErrors(p *page, workload string) {
	for _, res := range r.Results {
		if res.Workload == workload && res.Error != "" {
			var causes []string
			for cause := range strings.SplitSeq(res.Error, "\n") {
				if cause = strings.TrimPrefix(cause, workload+" on "+res.Target+": "); !slices.Contains(causes, cause) {
					causes = append(causes, cause)
				}
			}
			p.printf("\nFailed on %s: %s.\n", res.Target, strings.Join(causes, "; "))
		}
	}
}

func (r *Report) writeSweep(p *page, s *drive.Sweep) {
	var targets []string
	for _, t := range r.Targets {
		if len(r.points(s, t.Name)) > 0 {
			targets = append(targets, t.Name)
		}
	}
	if len(targets) == 0 {
		return
	}
	p.printf("\n### %s\n\n%s.\n\n![%s](benchmarks/%s.svg)\n\n", s.Name, strings.ToUpper(s.Title[:1])+s.Title[1:], s.Title, s.Name)
	titles := []string{s.XName}
	for _, t := range targets {
		for _, m := range s.Workloads[0].Metrics {
			titles = append(titles, t+", "+m.Name)
		}
	}
	p.head(right, titles...)
	for _, w := range s.Workloads {
		cells := []string{thousands(int64(w.X))}
		for _, t := range targets {
			for _, m := range w.Metrics {
				cell := "-"
				if sum, ok := r.Figure(w.Name, t, m.Name); ok {
					cell = Spread(sum)
				}
				cells = append(cells, cell)
			}
		}
		p.row(cells...)
	}
	for _, w := range s.Workloads {
		r.writeErrors(p, w.Name)
	}
}
