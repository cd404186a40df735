package report_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/report"
	"github.com/parley-rpc/parley/bench/internal/wan"
)

// madeWAN is a report of invented figures. Those of the first target are as
// good as the path allows, and those of others are worse.
func madeWAN() *report.WAN {
	r := &report.WAN{Congestion: "reno", Report: report.Report{
		Machine: report.Machine{CPU: "Example 9000", Cores: 2, Kernel: "Linux 6.1", Go: "go1.26.0"},
		Command: "make bench-wan", Rounds: 2, Seconds: 1.5,
	}}
	for i, t := range wan.Targets() {
		r.Targets = append(r.Targets, report.Target{Name: t.Name, Module: "example.com/" + t.Name, Version: "v1.2.3"})
		for _, at := range wan.Paths() {
			for _, w := range wan.Workloads() {
				if !t.Can(w) {
					continue
				}
				for round := range 2 {
					worse := 1 + float64(i)/10 + float64(round)/100
					f := make(drive.Figures)
					for _, m := range w.Metrics {
						f[m.Name] = 2 * float64(at.RoundTrip.Milliseconds()) * worse
					}
					if rate := wan.LinkRate(at, w.Name); rate > 0 {
						f[wan.ByteRate.Name] = rate / worse
					}
					f[wan.LeastShare.Name], f[wan.MostShare.Name] = 0.9, 1.5
					r.AddOver(at, w.Name, t.Name, f, nil)
				}
			}
		}
	}
	r.AddOver(wan.Paths()[1], "upload", "drpc", nil, os.ErrDeadlineExceeded)
	return r
}

func TestPageOverPathsIsAsItWas(t *testing.T) {
	r := madeWAN()
	golden(t, "benchmarks-wan.md", []byte(r.Page("### A reason\n\nSomebody has found it.\n")))
	for name, chart := range r.Charts() {
		golden(t, filepath.Join("benchmarks", name), chart)
	}
}

func TestRawFiguresOverPathsSurviveTheFile(t *testing.T) {
	r := madeWAN()
	raw, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "wan.json")
	if err := os.WriteFile(file, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	again, err := report.LoadWAN(file)
	if err != nil {
		t.Fatal(err)
	}
	if again.Page("") != r.Page("") {
		t.Error("the page is another one")
	}
}

// goalLine is the line of the goals that has all of these.
func goalLine(page string, parts ...string) string {
	_, goals, _ := strings.Cut(page, "## Goals")
	for line := range strings.Lines(goals) {
		found := true
		for _, part := range parts {
			found = found && strings.Contains(line, part)
		}
		if found {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

func TestGoalsAreJudgedInTheirUnits(t *testing.T) {
	at := wan.Paths()[0] // 20 ms, 6.25 MB/s
	r := &report.WAN{Report: report.Report{Targets: []report.Target{{Name: "parley"}, {Name: "drpc"}}}}
	r.AddOver(at, "first", "parley", drive.Figures{wan.FirstCall.Name: 49}, nil)
	r.AddOver(at, "cut", "parley", drive.Figures{wan.Resumed.Name: 71}, nil)
	r.AddOver(at, "download", "parley", drive.Figures{wan.ByteRate.Name: 6, wan.P50.Name: 46, wan.First16MiB.Name: 1.2}, nil)
	r.AddOver(at, "download", "drpc", drive.Figures{wan.First16MiB.Name: 1}, nil)
	page := r.Page("")
	for _, c := range []struct{ workload, want string }{
		{"first, first call ms", "| ≤ 2 round trips | 2.45 (2.45 .. 2.45) | met |"}, // with what both ends compute
		{"cut, data again ms", "| ≤ 3 round trips | 3.55 (3.55 .. 3.55) | **missed** |"},
		{"download, MB/s", "| ≥ 0.95 of the link | 0.96 (0.96 .. 0.96) | met |"},
		{"download, small call p50 ms", "| ≤ 45 | 46.0 (46.0 .. 46.0) | **missed** |"},
		{"download, first 16 MiB ms", "| ≤ 1.1x of drpc | 1.20 (1.20 .. 1.20) | **missed** |"},
	} {
		if line := goalLine(page, "20 ms, 50 Mbit/s | parley |", c.workload); !strings.HasSuffix(line, c.want) {
			t.Errorf("want %s: %s", c.want, line)
		}
	}
	if line := goalLine(page, "upload, MB/s"); line != "" {
		t.Errorf("what was not measured is judged: %s", line)
	}
	if !strings.Contains(page, "5 were measured, and 2 are met.") {
		t.Error("they are not counted")
	}
}
