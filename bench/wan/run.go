package main

import (
	"context"
	_ "embed" // the notes
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/parley-rpc/parley/bench/internal/path"
	"github.com/parley-rpc/parley/bench/internal/pick"
	"github.com/parley-rpc/parley/bench/internal/report"
	"github.com/parley-rpc/parley/bench/internal/wan"
)

// notes are what people have to say about the figures.
//
//go:embed notes.md
var notes string

func run(ctx context.Context, args []string, out, log io.Writer) error {
	p, err := parse(args, log)
	if err != nil {
		return err
	}
	if p.from != "" {
		r, err := report.LoadWAN(p.from)
		if err != nil {
			return err
		}
		return write(r, p.out)
	}
	m := &measuring{plan: p, log: log, report: newReport(p)}
	m.rounds(ctx)
	failed := errors.Join(m.failed...)
	switch {
	case ctx.Err() != nil:
		return errors.Join(ctx.Err(), failed)
	case p.out != "":
		return errors.Join(write(m.report, p.out), failed)
	}
	return errors.Join(printTables(out, p, m.report), failed)
}

func newReport(p *plan) *report.WAN {
	r := &report.WAN{Report: report.Report{
		Machine: report.ThisMachine(),
		Command: p.command,
		Seconds: p.measure.Seconds(),
	}}
	for _, t := range p.targets {
		about := report.Target{Name: t.Name}
		if t.TypeScript() {
			about.Module = t.Library
		} else {
			about.Module = t.Framework.About().Module
			about.Version = report.Version(about.Module)
		}
		r.Targets = append(r.Targets, about)
	}
	return r
}

// measuring is a run of a plan.
type measuring struct {
	*plan
	log io.Writer

	mu     sync.Mutex
	report *report.WAN
	failed []error
}

// stage is targets that are measured together in a round.
type stage struct {
	targets []*wan.Target
	rounds  int  // that it takes part in, at most
	alone   bool // one measurement at a time, on all paths

	took time.Duration // in the last round
}

// typeScriptRounds is in how many rounds TypeScript takes part: what it
// takes to start programs and browsers leaves no time for more.
const typeScriptRounds = 2

// stages returns those of a plan. A browser that starts takes the processor
// from everything else, so browsers are alone.
func (p *plan) stages() []*stage {
	framework := &stage{rounds: p.rounds}
	script := &stage{rounds: typeScriptRounds}
	browser := &stage{rounds: typeScriptRounds, alone: true}
	for _, t := range p.targets {
		s := framework
		switch {
		case t.Browser():
			s = browser
		case t.TypeScript():
			s = script
		}
		s.targets = append(s.targets, t)
	}
	return []*stage{framework, script, browser}
}

// rounds measures everything in interleaved rounds.
func (m *measuring) rounds(ctx context.Context) {
	stages := m.stages()
	began := time.Now()
	for round := 1; round <= m.plan.rounds; round++ {
		for _, s := range stages {
			before := time.Since(began)
			switch {
			case len(s.targets) == 0 || round > s.rounds:
				continue
			case m.limit > 0 && round > 1 && before+s.took > m.limit:
				fmt.Fprintf(m.log, "no time for %s in round %d\n", pick.Names(s.targets, targetName), round)
				continue
			}
			m.stage(ctx, round, s)
			s.took = time.Since(began) - before
			m.report.Rounds = round
		}
	}
}

// stage measures targets over all paths. Paths that carry little are measured
// at the same time.
func (m *measuring) stage(ctx context.Context, round int, s *stage) {
	var beside sync.WaitGroup
	for i, at := range m.paths {
		if light(at) && !s.alone {
			beside.Go(func() { m.path(ctx, round, at, s.targets, i) })
		}
	}
	beside.Wait()
	for _, at := range m.paths {
		if !light(at) || s.alone {
			m.path(ctx, round, at, s.targets, 0)
		}
	}
}

// path measures targets over a path, from the one at first on: those over
// paths at the same time are not all at the same one.
func (m *measuring) path(ctx context.Context, round int, at path.Path, targets []*wan.Target, first int) {
	first %= len(targets)
	for _, t := range slices.Concat(targets[first:], targets[:first]) {
		j := wan.Job{Target: t.Name, Path: at, For: m.measure, Scripts: m.scripts}
		for _, w := range m.workloads {
			if t.Can(w) {
				j.Workloads = append(j.Workloads, w.Name)
			}
		}
		if len(j.Workloads) == 0 || ctx.Err() != nil {
			continue
		}
		congestion, err := wan.Run(ctx, j, func(res wan.Result) { m.add(round, j, res) })
		m.mu.Lock()
		m.report.Congestion = congestion
		m.failed = append(m.failed, err)
		m.mu.Unlock()
	}
}

// add adds a result.
func (m *measuring) add(round int, j wan.Job, res wan.Result) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var err error
	if res.Error != "" {
		err = fmt.Errorf("%s on %s over %s: %s", res.Workload, j.Target, j.Path, res.Error)
		m.failed = append(m.failed, err)
	}
	if res.Version != "" {
		m.setVersion(j.Target, res.Version)
	}
	m.report.AddOver(j.Path, res.Workload, j.Target, res.Figures, err)
	fmt.Fprintf(m.log, "round %d  %-16s  %-20s  %-10s", round, j.Path, j.Target, res.Workload)
	for _, metric := range wan.Named(res.Workload).Metrics {
		if v, ok := res.Figures[metric.Name]; ok {
			fmt.Fprintf(m.log, "  %.4g %s", v, metric.Name)
		}
	}
	fmt.Fprintln(m.log, " ", res.Error)
}

// setVersion sets that of a target in TypeScript.
func (m *measuring) setVersion(target, version string) {
	for i := range m.report.Targets {
		if t := &m.report.Targets[i]; t.Name == target {
			t.Version = version
		}
	}
}

// write writes the page, the charts and the raw figures to a folder.
func write(r *report.WAN, folder string) error {
	raw, err := r.JSON()
	if err != nil {
		return err
	}
	files := r.Charts()
	files["wan.json"] = raw
	below := filepath.Join(folder, "benchmarks")
	if err := os.MkdirAll(below, 0o755); err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(below, name), content, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(folder, "benchmarks-wan.md"), []byte(r.Page(notes)), 0o644)
}

// printTables prints the medians, a table for each path.
func printTables(out io.Writer, p *plan, r *report.WAN) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, at := range p.paths {
		fmt.Fprintf(table, "%s\t", at)
		for _, t := range p.targets {
			fmt.Fprintf(table, "\t%s", t.Name)
		}
		fmt.Fprintln(table)
		for _, w := range p.workloads {
			for _, m := range w.Metrics {
				fmt.Fprintf(table, "%s\t%s", w.Name, m.Name)
				for _, t := range p.targets {
					cell := "-"
					if s, ok := r.Over(at, w.Name, t.Name, m.Name); ok {
						cell = fmt.Sprintf("%.4g", s.Median)
					}
					fmt.Fprintf(table, "\t%s", cell)
				}
				fmt.Fprintln(table)
			}
		}
		fmt.Fprintln(table)
	}
	return table.Flush()
}
