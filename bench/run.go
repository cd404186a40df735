package main

import (
	"context"
	_ "embed" // the notes
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/report"
	"github.com/parley-rpc/parley/bench/internal/target"
)

// notes are the hand-written notes about the figures.
//
//go:embed notes.md
var notes string

func run(ctx context.Context, args []string, out, log io.Writer) error {
	p, err := parse(args, log)
	if err != nil {
		return err
	}
	if p.from != "" {
		r, err := report.Load(p.from)
		if err != nil {
			return err
		}
		return write(r, p.out)
	}
	if p.quick {
		log = io.Discard
	}
	r, failed := p.run(ctx, log)
	switch {
	case ctx.Err() != nil:
		return errors.Join(ctx.Err(), failed)
	case p.out != "":
		return errors.Join(write(r, p.out), failed)
	case p.quick:
		printRatios(out, p, r)
	}
	return failed
}

// run measures everything. It also returns the errors.
func (p *plan) run(ctx context.Context, log io.Writer) (*report.Report, error) {
	r := &report.Report{
		Machine: report.ThisMachine(),
		Command: p.command,
		Seconds: p.measure.Seconds(),
	}
	for _, t := range p.targets {
		a := t.About()
		r.Targets = append(r.Targets, report.Target{Name: a.Name, Module: a.Module, Version: report.Version(a.Module)})
	}
	var failed []error
	began, last := time.Now(), time.Duration(0)
	for round := range p.rounds {
		before := time.Since(began)
		if p.limit > 0 && round > 0 && before+last > p.limit {
			fmt.Fprintf(log, "no time for more than %d rounds\n", round)
			break
		}
		r.Rounds = round + 1
		for _, w := range p.workloads {
			for _, t := range p.targets {
				if ctx.Err() != nil || !p.wants(round, w, t) {
					continue
				}
				name := t.About().Name
				figures, err := drive.Run(ctx, p.job(w.Name, name))
				r.Add(w.Name, name, figures, err)
				failed = append(failed, err)
				fmt.Fprintf(log, "round %d  %-18s  %-10s", round+1, w.Name, name)
				tell(log, w, figures, err)
			}
		}
		last = time.Since(began) - before
	}
	return r, errors.Join(failed...)
}

func (p *plan) job(workload, target string) drive.Job {
	j := drive.Job{Target: target, Workload: workload, Warmup: p.measure / 2, Measure: p.measure, Scale: p.scale}
	if p.profile != "" {
		j.Profile = filepath.Join(p.profile, workload+"-"+target)
	}
	return j
}

func tell(log io.Writer, w *drive.Workload, f drive.Figures, err error) {
	if err != nil {
		fmt.Fprintf(log, "  %v\n", err)
		return
	}
	for _, m := range w.Metrics {
		fmt.Fprintf(log, "  %.6g %s", f[m.Name], m.Name)
	}
	fmt.Fprintln(log)
}

// write writes the page, the charts and the raw figures to a folder.
func write(r *report.Report, folder string) error {
	raw, err := r.JSON()
	if err != nil {
		return err
	}
	files := r.Charts()
	files["results.json"] = raw
	below := filepath.Join(folder, "benchmarks")
	if err := os.MkdirAll(below, 0o755); err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(below, name), content, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(folder, "benchmarks.md"), []byte(r.Page(notes)), 0o644)
}

// printRatios prints the ratios of parley to the reference.
func printRatios(out io.Writer, p *plan, r *report.Report) {
	for _, w := range p.workloads {
		if ratio, ok := r.Ratio(w.Name, "parley", target.Reference, w.Metrics[0].Name); ok {
			fmt.Fprintf(out, "%s %.2f\n", w.Name, ratio.Median)
		}
	}
}
