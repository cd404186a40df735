package wan_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/path"
	"github.com/parley-rpc/parley/bench/internal/wan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run runs a workload over a short and fast path, and returns its figures.
func run(t *testing.T, target *wan.Target, workload string) drive.Figures {
	t.Helper()
	j := wan.Job{
		Path: path.Path{RoundTrip: 6 * time.Millisecond, Up: 800 * path.Megabit, Down: 800 * path.Megabit},
		For:  300 * time.Millisecond,
	}
	res, err := wan.RunHere(t.Context(), j, workload, target)
	if err != nil || res.Error != "" {
		t.Fatalf("%v, %s", err, res.Error)
	}
	return res.Figures
}

func TestEachWorkloadHasItsFigures(t *testing.T) {
	for _, target := range wan.Targets() {
		for _, w := range wan.Workloads() {
			if target.TypeScript() || !target.Can(w) {
				continue
			}
			t.Run(target.Name+"/"+w.Name, func(t *testing.T) {
				t.Parallel()
				figures := run(t, target, w.Name)
				for _, m := range w.Metrics {
					if v, ok := figures[m.Name]; !ok || v < 0 || v == 0 && m != wan.SentTwice && m != wan.LeastShare {
						t.Errorf("%q is %v", m.Name, v)
					}
				}
				if len(figures) != len(w.Metrics) {
					t.Errorf("the figures are %v", figures)
				}
			})
		}
	}
}

func TestFiguresAgreeWithThePath(t *testing.T) {
	target := wan.Targets()[0]
	if ms := run(t, target, "first")[wan.FirstCall.Name]; ms < 12 {
		t.Errorf("the first call took %v ms: less than two round trips", ms)
	}
	download := run(t, target, "download")
	if v := download[wan.ByteRate.Name]; v > 105 {
		t.Errorf("%v MB/s: more than the link carries", v)
	}
	if v := download[wan.First16MiB.Name]; v < 170 {
		t.Errorf("16 MiB took %v ms: less than the link takes", v)
	}
	if v := download[wan.P50.Name]; v < 5 {
		t.Errorf("small calls took %v ms: less than a round trip", v)
	}
}

func TestTypeScriptIsMeasuredWhereItMakesSense(t *testing.T) {
	can := make(map[string][]string)
	for _, target := range wan.Targets() {
		for _, w := range wan.Workloads() {
			if target.TypeScript() && target.Can(w) {
				can[target.Name] = append(can[target.Name], w.Name)
			}
		}
	}
	for target, n := range map[string]int{"node/parley": 3, "node/connect-web": 2, "chromium/parley": 3, "chromium/connect-web": 2} {
		if len(can[target]) != n {
			t.Errorf("%s runs %q", target, can[target])
		}
	}
}

func TestGoalsAreOfWorkloadsThatTheirTargetsRun(t *testing.T) {
	targets := make(map[string]*wan.Target)
	for _, target := range wan.Targets() {
		targets[target.Name] = target
	}
	for _, at := range wan.Paths() {
		goals := wan.Goals(at)
		if len(goals) == 0 {
			t.Errorf("%s has no goals", at)
		}
		for _, g := range goals {
			w := wan.Named(g.Workload)
			if w == nil || targets[g.Target] == nil || !targets[g.Target].Can(w) {
				t.Errorf("a goal of %s over %s is about %s", g.Target, at, g.Workload)
			}
			if g.Against != "" && targets[g.Against] == nil {
				t.Errorf("a goal is against %s", g.Against)
			}
		}
	}
}
