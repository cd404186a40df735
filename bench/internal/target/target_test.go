package target_test

import (
	"context"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/target"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The driver checks every response, and their number.
func TestEveryTargetRunsEveryWorkloadThatSuitsIt(t *testing.T) {
	for _, one := range target.All() {
		for _, w := range drive.Everything() {
			if !w.Suits(one.About()) {
				continue
			}
			t.Run(one.About().Name+"/"+w.Name, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				f, err := drive.RunHere(ctx, drive.Job{
					Target:   one.About().Name,
					Workload: w.Name,
					Warmup:   2 * time.Millisecond,
					Measure:  10 * time.Millisecond,
					Scale:    0.005,
				}, one)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range w.Metrics {
					if v, ok := f[m.Name]; !ok || math.IsNaN(v) || math.IsInf(v, 0) {
						t.Errorf("%s is %v", m.Name, v)
					}
				}
			})
		}
	}
}

func TestTargetsHaveNamesOfTheirOwnAndAreDocumented(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for _, one := range target.All() {
		name := one.About().Name
		if seen[name] {
			t.Errorf("two targets are named %s", name)
		}
		seen[name] = true
		if target.Named(name) == nil {
			t.Errorf("there is no %s by its name", name)
		}
		if !strings.Contains(string(readme), "| "+name+" |") {
			t.Errorf("README.md does not say how %s is configured", name)
		}
	}
	if !seen[target.Reference] {
		t.Errorf("there is no %s", target.Reference)
	}
	if target.Named("nobody") != nil {
		t.Error("there is a target that has no name")
	}
}
