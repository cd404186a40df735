package report

import (
	"fmt"
	"strings"

	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/path"
	"github.com/parley-rpc/parley/bench/internal/wan"
)

// Page is benchmarks-wan.md. Charts are where Charts says, below the folder
// benchmarks. The notes, which people write, are Markdown with headings of the
// third level.
func (r *WAN) Page(notes string) string {
	p := new(page)
	r.writeIntroduction(p)
	r.writeCharts(p)
	for _, at := range wan.Paths() {
		r.writePath(p, at)
	}
	r.writeCuts(p)
	r.writeGoals(p)
	p.printf("\n## Explanations\n\n%s\n", strings.TrimSpace(notes))
	return p.String()
}

func (r *WAN) writeIntroduction(p *page) {
	p.printf(`# Benchmarks across a distance

<!-- Written by make bench-wan. Explanations are in bench/wan/notes.md. -->

Parley beside other RPC frameworks over paths with a round trip and a rate. A proxy on the loopback interface delays each
direction by half the round trip, sends at the rate, and has a queue of %d ms before it. All frameworks run with their
defaults. The rounds are interleaved. [bench/README.md](../bench/README.md#across-a-distance) says how exact the proxy
is, what it leaves out, and how each figure is measured.

`, path.DefaultQueue.Milliseconds())
	p.head(left, "measured on", "")
	p.row("CPU", fmt.Sprintf("%s, %d cores", r.Machine.CPU, r.Machine.Cores))
	p.row("kernel", r.Machine.Kernel)
	if r.Congestion != "" {
		p.row("congestion control of TCP", r.Congestion)
	}
	p.row("Go", strings.TrimPrefix(r.Machine.Go, "go"))
	for _, t := range r.Targets {
		p.row(t.Name, strings.TrimSuffix(t.Module+", "+t.Version, ", "))
	}
	p.row("rounds", fmt.Sprintf("%d, with intervals of %s s; at most 2 of TypeScript", r.Rounds, Number(r.Seconds)))
	p.row("command", "`"+r.Command+"`")
	p.row("raw figures", "[wan.json](benchmarks/wan.json)")
}

func (r *WAN) writeCharts(p *page) {
	p.printf("\n## By round trip\n\nThe points of a line are paths. Their rates differ: see below.\n")
	for _, c := range r.wanCharts() {
		if len(c.lines.Series) > 0 {
			p.printf("\n![%s](benchmarks/%s)\n", c.lines.Title, c.file)
		}
	}
}

// pathTitle names a path for readers.
func pathTitle(p path.Path) string {
	mbit := func(r path.Rate) string {
		if r >= 1000*path.Megabit {
			return plain(float64(r/path.Megabit)/1000) + " Gbit/s"
		}
		return plain(float64(r/path.Megabit)) + " Mbit/s"
	}
	title := fmt.Sprintf("%d ms, ", p.RoundTrip.Milliseconds())
	switch {
	case p.Up != p.Down:
		return title + mbit(p.Up) + " up and " + mbit(p.Down) + " down"
	case p.Up == 0:
		return title + "no rate"
	}
	return title + mbit(p.Up)
}

// column is a column of a path's table.
type column struct {
	title    string
	workload string
	metric   drive.Metric
}

func (r *WAN) writePath(p *page, at path.Path) {
	if !r.has(at) {
		return
	}
	p.printf("\n## %s\n", pathTitle(at))
	if at.Up > 0 {
		p.printf("\nThe link carries %s MB/s up and %s MB/s down.\n", Number(float64(at.Up)/1e6), Number(float64(at.Down)/1e6))
	}
	r.writeColumns(p, at, "Medians. Small calls are beside the transfer, on the same connection if the framework can.", []column{
		{"first call, ms", "first", wan.FirstCall},
		{"first MiB, ms", "download", wan.FirstMiB},
		{"first 16 MiB, ms", "download", wan.First16MiB},
		{"download, MB/s", "download", wan.ByteRate},
		{"small calls beside it, p50 ms", "download", wan.P50},
		{"p99 ms", "download", wan.P99},
		{"upload, MB/s", "upload", wan.ByteRate},
		{"small calls beside it, p50 ms", "upload", wan.P50},
		{"p99 ms", "upload", wan.P99},
	})
	r.writeColumns(p, at, fmt.Sprintf("%d streams at once. A share of 1 is an equal one.", wan.Streams), []column{
		{"download, MB/s", "download-8", wan.ByteRate},
		{"least share", "download-8", wan.LeastShare},
		{"most share", "download-8", wan.MostShare},
		{"upload, MB/s", "upload-8", wan.ByteRate},
		{"least share", "upload-8", wan.LeastShare},
		{"most share", "upload-8", wan.MostShare},
	})
	for _, w := range wan.Workloads() {
		r.writeErrors(p, over(at, w.Name))
	}
}

// has reports whether anything was measured over a path.
func (r *WAN) has(at path.Path) bool {
	for _, w := range wan.Workloads() {
		for _, t := range r.Targets {
			if r.find(over(at, w.Name), t.Name) != nil {
				return true
			}
		}
	}
	return false
}

// writeColumns writes a table with a row for each target that has one of the
// figures, and no table if there is none.
func (r *WAN) writeColumns(p *page, at path.Path, about string, columns []column) {
	titles := []string{""}
	for _, c := range columns {
		titles = append(titles, c.title)
	}
	rows := new(page)
	for _, t := range r.Targets {
		cells, measured := []string{t.Name}, false
		for _, c := range columns {
			s, ok := r.Over(at, c.workload, t.Name, c.metric.Name)
			measured = measured || ok
			if ok {
				cells = append(cells, Number(s.Median))
			} else {
				cells = append(cells, "-")
			}
		}
		if measured {
			rows.row(cells...)
		}
	}
	if rows.Len() > 0 {
		p.printf("\n%s\n\n", about)
		p.head(right, titles...)
		p.WriteString(rows.String())
	}
}

// writeCuts has what happened when links were reset.
func (r *WAN) writeCuts(p *page) {
	rows := new(page)
	for _, at := range wan.Paths() {
		again, ok := r.Over(at, "cut", subject, wan.Resumed.Name)
		if !ok {
			continue
		}
		twice, _ := r.Over(at, "cut", subject, wan.SentTwice.Name)
		rows.row(pathTitle(at), Spread(again), Number(again.Median/float64(at.RoundTrip.Milliseconds())), Spread(twice))
	}
	if rows.Len() == 0 {
		return
	}
	p.printf("\n## A link is reset\n\n")
	p.printf("In the middle of a download of parley. The session resumes on a new link. Medians, minimum and maximum.\n\n")
	p.head(right, "path", "data again after, ms", "round trips", "sent twice, MiB")
	p.WriteString(rows.String())
}

// writeGoals compares what parley has to reach with what it did.
func (r *WAN) writeGoals(p *page) {
	rows := new(page)
	reached, judged, all := 0, 0, 0
	for _, at := range wan.Paths() {
		for _, g := range wan.Goals(at) {
			all++
			v := r.judgeGoal(g)
			if v.result == notMeasured {
				continue
			}
			judged++
			if v.result == met {
				reached++
			}
			rows.row(pathTitle(at), g.Target, v.workload, v.bar, v.measured, v.result)
		}
	}
	p.printf("\n## Goals\n\nOf %d goals, %d were measured, and %d are met.\n", all, judged, reached)
	p.printf("A number of round trips may be exceeded by %d ms, for what both ends compute.\n\n", wan.Slack.Milliseconds())
	p.head(left, "path", "target", "workload", "goal", "measured", "")
	p.WriteString(rows.String())
}
