package report_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/report"
)

var update = flag.Bool("update", false, "write the goldens instead of comparing with them")

// made is a report of invented figures. Those of parley are better than the
// others by a factor that depends on the workload.
func made() *report.Report {
	r := &report.Report{
		Machine: report.Machine{CPU: "Example 9000", Cores: 2, Kernel: "Linux 6.1", Go: "go1.26.0"},
		Targets: []report.Target{
			{Name: "parley", Module: "example.com/parley", Version: report.ThisTree},
			{Name: "grpc-go", Module: "example.com/grpc", Version: "v1.2.3"},
			{Name: "gorilla", Module: "example.com/gorilla", Version: "v4.5.6"},
		},
		Command: "make bench", Rounds: 3, Seconds: 0.6,
	}
	for i, w := range drive.Everything() {
		for round := range 3 {
			for k, target := range []string{"parley", "grpc-go"} {
				f := make(drive.Figures)
				for _, m := range w.Metrics {
					f[m.Name] = float64(100+10*round) * float64(i+1)
					if (k == 0) == m.Higher {
						f[m.Name] *= 1 + float64(i%7)
					}
				}
				r.Add(w.Name, target, f, nil)
			}
		}
	}
	r.Add("unary-1", "gorilla", drive.Figures{drive.P50.Name: 50, drive.CPU.Name: 60, drive.CallRate.Name: 20_000}, nil)
	r.Add("unary-1", "gorilla", nil, os.ErrDeadlineExceeded)
	return r
}

func TestPageAndChartsAreAsTheyWere(t *testing.T) {
	r := made()
	golden(t, "benchmarks.md", []byte(r.Page("### A reason\n\nSomebody has found it.\n")))
	for name, chart := range r.Charts() {
		golden(t, filepath.Join("benchmarks", name), chart)
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s is not as it was; if that is meant: go test ./internal/report -update", name)
	}
}

func TestRawFiguresSurviveTheFile(t *testing.T) {
	r := made()
	raw, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "results.json")
	if err := os.WriteFile(file, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	again, err := report.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if again.Page("") != r.Page("") {
		t.Error("the page is another one")
	}
}

// The ratio of the medians would be 10.
func TestRatioIsWithinARound(t *testing.T) {
	r := new(report.Report)
	for _, v := range []struct{ mine, theirs float64 }{{1, 1}, {10, 2}, {20, 1}} {
		r.Add("w", "a", drive.Figures{"m": v.mine}, nil)
		r.Add("w", "b", drive.Figures{"m": v.theirs}, nil)
	}
	s, ok := r.Ratio("w", "a", "b", "m")
	if !ok || s.Median != 5 || s.Min != 1 || s.Max != 20 {
		t.Errorf("the ratio is %+v", s)
	}
}

func TestRoundThatHasFailedHasNoRatio(t *testing.T) {
	r := new(report.Report)
	r.Add("w", "a", nil, os.ErrClosed)
	r.Add("w", "b", drive.Figures{"m": 1}, nil)
	r.Add("w", "a", drive.Figures{"m": 6}, nil)
	r.Add("w", "b", drive.Figures{"m": 2}, nil)
	if s, ok := r.Ratio("w", "a", "b", "m"); !ok || s.Median != 3 || s.Max != 3 {
		t.Errorf("the ratio is %+v", s)
	}
	if _, ok := r.Ratio("w", "a", "c", "m"); ok {
		t.Error("there is a ratio to nobody")
	}
}

// sweepPage is the page of a sweep over calls in flight with these rates.
func sweepPage(rates []float64) string {
	r := &report.Report{Targets: []report.Target{{Name: "parley"}, {Name: "grpc-go"}}}
	for i, w := range drive.Sweeps()[0].Workloads {
		if i < len(rates) {
			r.Add(w.Name, "parley", drive.Figures{w.Metrics[0].Name: rates[i]}, nil)
		}
	}
	return r.Page("")
}

func TestSweepThatFallsMissesItsBar(t *testing.T) {
	for _, c := range []struct {
		rates []float64
		want  string
	}{
		{[]float64{10, 20, 40}, "| 2.00x at 4 | met |"},
		{[]float64{10, 20, 19}, "| 0.95x at 16 | met |"}, // noise
		{[]float64{10, 20, 40, 30, 35}, "| 0.75x at 64 | **missed** |"},
		{[]float64{10}, "|  | not measured |"},
	} {
		if page := sweepPage(c.rates); !strings.Contains(page, c.want) {
			for line := range strings.Lines(page) {
				if strings.Contains(line, "by calls in flight: ") {
					t.Errorf("%v: want %q: %s", c.rates, c.want, line)
				}
			}
		}
	}
}

// barRow returns the row of the page whose first cell is this.
func barRow(t *testing.T, r *report.Report, cell string) string {
	t.Helper()
	for line := range strings.Lines(r.Page("")) {
		if rest, ok := strings.CutPrefix(line, "| "+cell+" | "); ok {
			return strings.TrimSpace(rest)
		}
	}
	t.Fatalf("no row is about %q", cell)
	return ""
}

func TestBarMayReferToAnotherWorkload(t *testing.T) {
	r := &report.Report{Targets: []report.Target{{Name: "parley"}, {Name: "grpc-go"}}}
	for _, v := range []struct{ plain, options float64 }{{100, 80}, {200, 140}, {100, 90}} {
		r.Add("unary-64", "parley", drive.Figures{drive.CallRate.Name: v.plain}, nil)
		r.Add("unary-64-options", "parley", drive.Figures{drive.CallRate.Name: v.options}, nil)
	}
	w := drive.Named("unary-64-options")
	want := "≥ 0.75x of unary-64 | 0.80x (0.70 .. 0.90) | met |"
	if got := barRow(t, r, w.Title+": calls/s"); got != want {
		t.Errorf("the row is %q, want %q", got, want)
	}
}

func TestBarMayBeForAnotherTarget(t *testing.T) {
	r := &report.Report{Targets: []report.Target{{Name: "parley"}, {Name: "grpc-go"}}}
	r.Add("unary-64", "parley", drive.Figures{drive.CallRate.Name: 90}, nil)
	r.Add("unary-64", "parley-grpc", drive.Figures{drive.CallRate.Name: 20}, nil)
	r.Add("unary-64", "grpc-go", drive.Figures{drive.CallRate.Name: 10}, nil)
	w := drive.Named("unary-64")
	want := "≥ 2.5x | 2.00x (2.00 .. 2.00) | **missed** |"
	if got := barRow(t, r, w.Title+": calls/s of parley-grpc"); got != want {
		t.Errorf("the row is %q, want %q", got, want)
	}
}
