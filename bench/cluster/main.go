// Command cluster measures several servers as one: calls to clients of other
// nodes, topics, and what an idle client costs. The nodes, the NATS server and
// the clients are processes of their own. See the README.md of the folder above.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/parley-rpc/parley/bench/internal/proc"
)

func main() {
	proc.Main("cluster", child, func(ctx context.Context) error {
		return run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	})
}

// child plays the part of a child process, if this is one.
func child() (bool, error) {
	var j job
	isChild, err := proc.Job(&j)
	if !isChild || err != nil {
		return isChild, err
	}
	switch j.Part {
	case natsPart:
		return true, serveNATS(j)
	case nodePart:
		return true, serveNode(j)
	default:
		return true, serveClients()
	}
}

func run(ctx context.Context, args []string, out, log io.Writer) error {
	flags := flag.NewFlagSet("cluster", flag.ContinueOnError)
	flags.SetOutput(log)
	p := plan{measured: time.Second}
	flags.DurationVar(&p.measured, "time", p.measured, "the measured interval of each figure")
	flags.IntVar(&p.rounds, "rounds", 3, "how often everything is measured")
	flags.IntVar(&p.idle, "clients", 10_000, "how many idle clients to count the cost of")
	flags.StringVar(&p.profiles, "profiles", "", "a folder for CPU profiles of the nodes and clients")
	flags.StringVar(&p.only, "only", "", "measure one part: calls, single, topics or idle")
	page := flags.String("out", "", "the folder of the page to write; none by default")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if err := p.check(); err != nil {
		return err
	}
	figures, err := p.run(ctx, log)
	if err != nil {
		return err
	}
	return figures.write(out, *page)
}
