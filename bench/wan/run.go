package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	gopath "path"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/path"
	"github.com/parley-rpc/parley/bench/internal/report"
	"github.com/parley-rpc/parley/bench/internal/target"
	"github.com/parley-rpc/parley/bench/internal/wan"
)

// plan is what is measured.
type plan struct {
	paths     []path.Path
	targets   []drive.Target
	workloads []*wan.Workload
	rounds    int
	measure   time.Duration
}

func parse(args []string, usage io.Writer) (*plan, error) {
	p := new(plan)
	flags := flag.NewFlagSet("wan", flag.ContinueOnError)
	flags.SetOutput(usage)
	paths := flags.String("paths", "*", "over which paths: names or patterns, separated by commas; of "+names(wan.Paths(), path.Path.String))
	targets := flags.String("targets", "parley,grpc-go,connect-go,drpc", "which frameworks to measure, likewise")
	workloads := flags.String("workloads", "*", "which workloads, likewise; of "+names(wan.Workloads(), workloadName))
	flags.IntVar(&p.rounds, "rounds", 1, "how often each is measured")
	flags.DurationVar(&p.measure, "for", 2*time.Second, "the measured interval")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	var err1, err2, err3 error
	p.paths, err1 = choose(*paths, wan.Paths(), path.Path.String)
	p.targets, err2 = choose(*targets, target.All(), targetName)
	p.workloads, err3 = choose(*workloads, wan.Workloads(), workloadName)
	return p, errors.Join(err1, err2, err3)
}

func workloadName(w *wan.Workload) string { return w.Name }
func targetName(t drive.Target) string    { return t.About().Name }

func names[T any](all []T, name func(T) string) string {
	var list []string
	for _, one := range all {
		list = append(list, name(one))
	}
	return strings.Join(list, ", ")
}

// choose returns those of all whose name fits one of the patterns.
func choose[T any](patterns string, all []T, name func(T) string) (chosen []T, err error) {
	used := make(map[string]bool)
	for _, one := range all {
		fits := false
		for p := range strings.SplitSeq(patterns, ",") {
			ok, err := gopath.Match(p, name(one))
			if err != nil {
				return nil, fmt.Errorf("%q: %w", p, err)
			}
			if ok {
				used[p], fits = true, true
			}
		}
		if fits {
			chosen = append(chosen, one)
		}
	}
	for p := range strings.SplitSeq(patterns, ",") {
		if !used[p] {
			return nil, fmt.Errorf("nothing is named %q; there is %s", p, names(all, name))
		}
	}
	return chosen, nil
}

func run(ctx context.Context, args []string, out, log io.Writer) error {
	p, err := parse(args, log)
	if err != nil {
		return err
	}
	r := new(report.Report)
	var failed []error
	for round := range p.rounds {
		for _, at := range p.paths {
			for _, t := range p.targets {
				if ctx.Err() != nil {
					continue
				}
				failed = append(failed, p.one(ctx, log, r, round, at, t))
			}
		}
	}
	p.print(out, r)
	return errors.Join(append(failed, ctx.Err())...)
}

// one measures a target over a path.
func (p *plan) one(ctx context.Context, log io.Writer, r *report.Report, round int, at path.Path, t drive.Target) error {
	j := wan.Job{Target: targetName(t), Path: at, For: p.measure}
	for _, w := range p.workloads {
		j.Workloads = append(j.Workloads, w.Name)
	}
	var failed []error
	err := wan.Run(ctx, j, func(res wan.Result) {
		var err error
		if res.Error != "" {
			err = fmt.Errorf("%s on %s over %s: %s", res.Workload, j.Target, at, res.Error)
			failed = append(failed, err)
		}
		r.Add(at.String()+"/"+res.Workload, j.Target, res.Figures, err)
		fmt.Fprintf(log, "round %d  %-16s  %-10s  %-10s", round+1, at, j.Target, res.Workload)
		for _, m := range wan.Named(res.Workload).Metrics {
			fmt.Fprintf(log, "  %.4g %s", res.Figures[m.Name], m.Name)
		}
		fmt.Fprintln(log, " ", res.Error)
	})
	return errors.Join(append(failed, err)...)
}

// print prints the medians, a table for each path.
func (p *plan) print(out io.Writer, r *report.Report) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	defer table.Flush()
	for _, at := range p.paths {
		fmt.Fprintf(table, "%s\t", at)
		for _, t := range p.targets {
			fmt.Fprintf(table, "\t%s", targetName(t))
		}
		fmt.Fprintln(table)
		for _, w := range p.workloads {
			for _, m := range w.Metrics {
				fmt.Fprintf(table, "%s\t%s", w.Name, m.Name)
				for _, t := range p.targets {
					cell := "-"
					if s, ok := r.Figure(at.String()+"/"+w.Name, targetName(t), m.Name); ok {
						cell = fmt.Sprintf("%.4g", s.Median)
					}
					fmt.Fprintf(table, "\t%s", cell)
				}
				fmt.Fprintln(table)
			}
		}
		fmt.Fprintln(table)
	}
}
