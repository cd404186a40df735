package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/stat"
	"github.com/parley-rpc/parley/bench/internal/target"
)

// plan is what is measured, and how.
type plan struct {
	workloads []*drive.Workload
	targets   []drive.Target
	rounds    int
	measure   time.Duration
	scale     float64
	profile   string // a folder, or ""
	out       string // a folder, or ""
	quick     bool
}

const (
	quickWorkloads = "unary-64,unary-1000,sstream-1,pingpong,allocs"
	quickTargets   = "parley,grpc-go"
	quickSeconds   = 0.5 // keeps five rounds below 50 s
)

func parse(args []string, usage io.Writer) (*plan, error) {
	p := new(plan)
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(usage)
	workloads := flags.String("workloads", "*", "which to run: names or patterns such as unary-*, separated by commas")
	targets := flags.String("targets", "*", "which to measure, likewise")
	seconds := flags.Float64("seconds", 0.6, "the measured interval; the load begins half as long before")
	flags.IntVar(&p.rounds, "rounds", 5, "how often each is measured")
	flags.Float64Var(&p.scale, "scale", 1, "multiplies numbers of connections, streams and calls that are counted")
	flags.StringVar(&p.profile, "profile", "", "write CPU and allocation profiles of both processes to this `folder`")
	flags.StringVar(&p.out, "out", "", "write the report to this `folder`: benchmarks.md and benchmarks/")
	flags.BoolVar(&p.quick, "quick", false, "print one line for each of "+quickWorkloads+": its name, and parley's ratio to "+target.Reference)
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if p.quick {
		set := make(map[string]bool)
		flags.Visit(func(f *flag.Flag) { set[f.Name] = true })
		if !set["workloads"] {
			*workloads = quickWorkloads
		}
		*targets = quickTargets
		if !set["seconds"] {
			*seconds = quickSeconds
		}
	}
	p.measure = time.Duration(*seconds * float64(time.Second))
	var err1, err2 error
	p.workloads, err1 = choose(*workloads, drive.Workloads(), func(w *drive.Workload) string { return w.Name })
	p.targets, err2 = choose(*targets, target.All(), func(t drive.Target) string { return t.About().Name })
	return p, errors.Join(err1, err2)
}

// choose returns those of all whose name fits one of the patterns.
func choose[T any](patterns string, all []T, name func(T) string) (chosen []T, err error) {
	used := make(map[string]bool)
	for _, one := range all {
		for p := range strings.SplitSeq(patterns, ",") {
			ok, err := path.Match(p, name(one))
			if err != nil {
				return nil, fmt.Errorf("%q: %w", p, err)
			}
			if ok {
				used[p] = true
				if !slices.ContainsFunc(chosen, func(c T) bool { return name(c) == name(one) }) {
					chosen = append(chosen, one)
				}
			}
		}
	}
	for p := range strings.SplitSeq(patterns, ",") {
		if !used[p] {
			return nil, fmt.Errorf("nothing is named %q", p)
		}
	}
	return chosen, nil
}

func run(ctx context.Context, args []string, out, log io.Writer) error {
	p, err := parse(args, log)
	if err != nil {
		return err
	}
	if p.quick {
		log = io.Discard
	}
	all := make(samples)
	for round := range p.rounds {
		for _, w := range p.workloads {
			for _, t := range p.targets {
				if err := p.measureOnce(ctx, all, round, w, t, log); err != nil {
					return err
				}
			}
		}
	}
	if p.quick {
		printRatios(out, p, all)
	}
	return nil
}

// sample says what was measured.
type sample struct{ workload, target string }

// samples are the figures of all rounds.
type samples map[sample][]drive.Figures

func (p *plan) measureOnce(ctx context.Context, all samples, round int, w *drive.Workload, t drive.Target, log io.Writer) error {
	name := t.About().Name
	j := drive.Job{Target: name, Workload: w.Name, Warmup: p.measure / 2, Measure: p.measure, Scale: p.scale}
	if p.profile != "" {
		j.Profile = filepath.Join(p.profile, w.Name+"-"+name)
	}
	f, err := drive.Run(ctx, j)
	if err != nil {
		return err
	}
	key := sample{w.Name, name}
	all[key] = append(all[key], f)
	fmt.Fprintf(log, "round %d  %-12s %-12s", round+1, w.Name, name)
	for _, m := range w.Metrics {
		fmt.Fprintf(log, "  %.6g %s", f[m.Name], m.Name)
	}
	fmt.Fprintln(log)
	return nil
}

// printRatios prints the ratio of the first target to the reference.
func printRatios(out io.Writer, p *plan, all samples) {
	for _, w := range p.workloads {
		metric := w.Metrics[0].Name
		ours, theirs := all[sample{w.Name, "parley"}], all[sample{w.Name, target.Reference}]
		var ratios []float64
		for i := range ours {
			ratios = append(ratios, ours[i][metric]/theirs[i][metric])
		}
		fmt.Fprintf(out, "%s %.2f\n", w.Name, stat.Summarize(ratios).Median)
	}
}
