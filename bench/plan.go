package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/pick"
	"github.com/parley-rpc/parley/bench/internal/target"
)

// plan configures what is measured.
type plan struct {
	workloads []*drive.Workload
	targets   []drive.Target
	all       bool // run everything: each workload on its targets, in its rounds
	rounds    int
	measure   time.Duration
	scale     float64
	profile   string // a folder, or ""
	out       string // a folder, or ""
	from      string // a file, or ""
	quick     bool
	limit     time.Duration // of everything
	command   string        // that repeats this run
}

const (
	quickWorkloads = "unary-64,unary-1000,sstream-1,pingpong,allocs"
	quickTargets   = "parley,grpc-go"

	everything = "*"
)

func parse(args []string, usage io.Writer) (*plan, error) {
	p := new(plan)
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(usage)
	workloads := flags.String("workloads", everything, "which to run: `names`, or patterns such as unary-*, separated by commas")
	targets := flags.String("targets", everything, "which to measure: `names` likewise")
	seconds := flags.Float64("seconds", 0.5, "the measured interval; the load begins half as long before")
	flags.IntVar(&p.rounds, "rounds", 5, "how often each is measured")
	flags.DurationVar(&p.limit, "limit", 0, "begin no round that would probably end later than this; the first is always run")
	flags.Float64Var(&p.scale, "scale", 1, "multiplies the numbers of connections, streams and calls")
	flags.StringVar(&p.profile, "profile", "", "write CPU and allocation profiles of both processes to this `folder`")
	flags.StringVar(&p.out, "out", "", "write benchmarks.md, and benchmarks/ with charts and raw figures, to this `folder`")
	flags.StringVar(&p.from, "from", "", "measure nothing, but write the page of the raw figures in this `file`")
	flags.BoolVar(&p.quick, "quick", false, "print a line each for "+quickWorkloads+": its name, and the ratio of parley to grpc-go")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	set := make(map[string]bool)
	p.command = "go run ."
	flags.Visit(func(f *flag.Flag) {
		set[f.Name] = true
		if f.Name != "out" && f.Name != "limit" {
			p.command += fmt.Sprintf(" -%s %s", f.Name, f.Value)
		}
	})
	if p.command == "go run ." {
		p.command = "make bench"
	}
	if p.quick {
		*targets = quickTargets
		if !set["workloads"] {
			*workloads = quickWorkloads
		}
	}
	p.measure = time.Duration(*seconds * float64(time.Second))
	p.all = *targets == everything && *workloads == everything
	var err1, err2 error
	p.workloads, err1 = pick.Named(*workloads, drive.Everything(), func(w *drive.Workload) string { return w.Name })
	p.targets, err2 = pick.Named(*targets, target.All(), func(t drive.Target) string { return t.About().Name })
	return p, errors.Join(err1, err2)
}

// slowRounds is the number of rounds of slow workloads, when everything is
// measured.
const slowRounds = 3

// wants reports whether a workload runs on a target in a round. Rounds count
// from 0.
func (p *plan) wants(round int, w *drive.Workload, t drive.Target) bool {
	a := t.About()
	switch {
	case !w.Suits(a):
		return false
	case p.all && w.Slow && round >= slowRounds:
		return false
	case p.all && w.Pair:
		return slices.Contains(strings.Split(quickTargets, ","), a.Name)
	}
	return true
}
