package command

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/parley-rpc/parley/tests/conformance"
)

// conformanceFlags are the flags of the command.
type conformanceFlags struct {
	run      string
	known    string
	list     bool
	parallel int
}

func (p *program) conformanceCommand() *cobra.Command {
	var f conformanceFlags
	c := &cobra.Command{
		Use:   "conformance [flags] -- COMMAND [ARG...]",
		Short: "Check an implementation of the protocol",
		Long: `conformance starts COMMAND, an implementation under test, and runs cases against it. It
plays the peer itself, on WebSockets that it speaks by hand. docs/conformance.md
describes what COMMAND reads and writes, and what the cases cover.

It prints each case that fails, why, and the section of the protocol, and at the end
"NAME: N passed, M failed". The exit code is 1 if a case fails that is not in the list
of known failures, or if one of that list passes.`,
		Example: `  parley conformance -- node driver.js
  parley conformance --run '^resume/' --known failures.txt -- ./driver`,
		RunE: func(c *cobra.Command, args []string) error {
			if f.list {
				return p.listCases()
			}
			if len(args) == 0 {
				return usagef("no command under test: write %s", c.UseLine())
			}
			return p.conformance(c.Context(), &f, args)
		},
	}
	c.Flags().StringVar(&f.run, "run", "", "run only cases whose name matches this regular expression")
	c.Flags().StringVar(&f.known, "known", "", "file with the names of cases that are known to fail, one a line; # starts a comment")
	c.Flags().IntVar(&f.parallel, "parallel", 0, "cases at once (default 32)")
	c.Flags().BoolVar(&f.list, "list", false, "print the cases instead of running them")
	return c
}

func (p *program) listCases() error {
	cases, err := conformance.Cases()
	if err != nil {
		return err
	}
	for _, c := range cases {
		fmt.Fprintf(p.Out, "%s\t%s\n", c.Name, c.Spec)
	}
	return nil
}

func (p *program) conformance(ctx context.Context, f *conformanceFlags, command []string) error {
	o := conformance.Options{Command: command, Parallel: f.parallel, Stderr: p.Err}
	if f.run != "" {
		var err error
		if o.Run, err = regexp.Compile(f.run); err != nil {
			return usagef("--run: %w", err)
		}
	}
	if f.known != "" {
		text, err := os.ReadFile(f.known)
		if err != nil {
			return usagef("--known: %w", err)
		}
		o.Known = conformance.ParseKnown(string(text))
	}
	report, err := conformance.Run(ctx, o)
	if err != nil {
		return failure{exitUsage, err}
	}
	if p.json() {
		err = json.NewEncoder(p.Out).Encode(report)
	} else {
		fmt.Fprint(p.Out, report.Text())
	}
	if err != nil {
		return err
	}
	if n := len(report.Failed()); n > 0 {
		return failure{exitStatus, fmt.Errorf("%d cases failed: %s", n, strings.Join(command, " "))}
	}
	return nil
}
