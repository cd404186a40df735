package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/parley-rpc/parley/bench/internal/path"
	"github.com/parley-rpc/parley/bench/internal/pick"
	"github.com/parley-rpc/parley/bench/internal/wan"
)

// plan configures what is measured.
type plan struct {
	paths     []path.Path
	targets   []*wan.Target
	workloads []*wan.Workload
	rounds    int
	measure   time.Duration
	limit     time.Duration // of everything
	scripts   string        // a folder, or ""
	out       string        // a folder, or ""
	from      string        // a file, or ""
	command   string        // that does this again
}

const everything = "*"

func parse(args []string, usage io.Writer) (*plan, error) {
	p := new(plan)
	flags := flag.NewFlagSet("wan", flag.ContinueOnError)
	flags.SetOutput(usage)
	paths := flags.String("paths", everything, "measure over these: names or patterns, separated by commas; there is "+pick.Names(wan.Paths(), path.Path.String))
	targets := flags.String("targets", everything, "measure these, likewise; there is "+pick.Names(wan.Targets(), targetName))
	workloads := flags.String("workloads", everything, "run these, likewise; there is "+pick.Names(wan.Workloads(), workloadName))
	flags.IntVar(&p.rounds, "rounds", 1, "how often each is measured")
	flags.DurationVar(&p.measure, "for", 2*time.Second, "the measured interval")
	flags.DurationVar(&p.limit, "limit", 0, "begin no round that would probably end later than this; the first is always run")
	flags.StringVar(&p.scripts, "scripts", "", "the `folder` of the programs in TypeScript, which npm run wan builds; without it, targets in TypeScript are left out")
	flags.StringVar(&p.out, "out", "", "write benchmarks-wan.md, and charts and raw figures to benchmarks/, in this `folder`")
	flags.StringVar(&p.from, "from", "", "measure nothing, but write the page of the raw figures in this `file`")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	p.command = command(flags)
	var err1, err2, err3 error
	p.paths, err1 = pick.Named(*paths, wan.Paths(), path.Path.String)
	p.targets, err2 = pick.Named(*targets, available(p.scripts), targetName)
	p.workloads, err3 = pick.Named(*workloads, wan.Workloads(), workloadName)
	return p, errors.Join(err1, err2, err3)
}

// command is what readers type to measure the same.
func command(flags *flag.FlagSet) string {
	text := "go run ./wan"
	selects := false
	flags.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "paths", "targets", "workloads":
			selects = true
		case "out", "limit", "scripts", "from":
			return // these do not affect the figures
		}
		text += fmt.Sprintf(" -%s %s", f.Name, f.Value)
	})
	if !selects {
		return "make bench-wan"
	}
	return text
}

// available returns the targets that can be measured.
func available(scripts string) (some []*wan.Target) {
	for _, t := range wan.Targets() {
		if !t.TypeScript() || scripts != "" {
			some = append(some, t)
		}
	}
	return some
}

func workloadName(w *wan.Workload) string { return w.Name }
func targetName(t *wan.Target) string     { return t.Name }

// light reports whether a path carries so little that it can be measured beside
// others.
func light(p path.Path) bool {
	const most = 200 * path.Megabit
	return p.Up > 0 && p.Up <= most && p.Down > 0 && p.Down <= most
}
