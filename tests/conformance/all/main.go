// Command all runs the conformance kit against every implementation of this
// repository, and prints a line for each. It fails if a case fails that is not
// known to, or if the table of docs/conformance.md says something else; with -w
// it writes the table.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/parley-rpc/parley/tests/conformance"
)

func main() {
	write := flag.Bool("w", false, "write the table of docs/conformance.md")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	reports, err := run(ctx)
	stop()
	if err == nil && *write {
		err = writeTable(reports)
	} else if err == nil {
		err = checkTable(reports)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// implementation is one that is checked. Another one is added here.
type implementation struct {
	name    string
	build   []string // in the folder dir
	dir     string
	command []string
}

// implementations lists them. Paths are relative to the top of the repository.
func implementations() []implementation {
	return []implementation{
		{
			name:    "parley-go",
			build:   []string{"go", "build", "-o", ".out/conformance/peer", "./tests/conformance/peer"},
			dir:     ".",
			command: []string{".out/conformance/peer"},
		},
		{
			name:    "parley-ts",
			build:   []string{"npm", "run", "--silent", "conformance"},
			dir:     "web",
			command: []string{"node", "web/conformance/dist/main.js"},
		},
		{
			name:    "parley-python",
			build:   []string{"/usr/bin/python3", "-c", "import google.protobuf, websockets"},
			dir:     ".",
			command: []string{"env", "PYTHONPATH=python:python/gen", "/usr/bin/python3", "-W", "error", "-m", "driver"},
		},
		inBrowser("webkit"),
		inBrowser("firefox"),
		inBrowser("chromium"),
	}
}

// inBrowser is the TypeScript client in a page.
func inBrowser(engine string) implementation {
	return implementation{
		name:    "parley-ts-" + engine,
		build:   []string{"npm", "run", "--silent", "conformance"},
		dir:     "web",
		command: []string{"node", "web/conformance/dist/browser.js", engine},
	}
}

// run runs the kit against all implementations, two at a time. The last one
// begins first: Chromium takes longest, as it delays WebSockets after failures.
func run(ctx context.Context) ([]*conformance.Report, error) {
	all := implementations()
	for n := range all {
		if err := all[n].prepare(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", all[n].name, err)
		}
	}
	reports, errs := make([]*conformance.Report, len(all)), make([]error, len(all))
	slots := make(chan struct{}, 2)
	var running sync.WaitGroup
	for n, i := range slices.Backward(all) {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			reports[n], errs[n] = i.check(ctx)
		})
	}
	running.Wait()
	var failed []string
	for n, i := range all {
		if errs[n] != nil {
			return nil, fmt.Errorf("%s: %w", i.name, errs[n])
		}
		fmt.Print(reports[n].Text())
		if len(reports[n].Failed()) > 0 {
			failed = append(failed, i.name)
		}
	}
	if len(failed) > 0 {
		return nil, fmt.Errorf("failed: %s", strings.Join(failed, ", "))
	}
	return reports, nil
}

// prepare builds an implementation.
func (i *implementation) prepare(ctx context.Context) error {
	build := exec.CommandContext(ctx, i.build[0], i.build[1:]...)
	build.Dir = i.dir
	if said, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build it: %w: %s", err, said)
	}
	return nil
}

// check runs the kit against an implementation.
func (i *implementation) check(ctx context.Context) (*conformance.Report, error) {
	o := conformance.Options{Command: i.command, Stderr: os.Stderr}
	known, err := os.ReadFile(filepath.Join("tests/conformance/known", i.name+".txt"))
	switch {
	case err == nil:
		o.Known = conformance.ParseKnown(string(known))
	case !errors.Is(err, os.ErrNotExist):
		return nil, err
	}
	report, err := conformance.Run(ctx, o)
	if err == nil && report.Implementation != i.name {
		err = fmt.Errorf("it calls itself %q", report.Implementation)
	}
	return report, err
}

const (
	document = "docs/conformance.md"
	begins   = "<!-- table: make conformance -->\n"
	ends     = "<!-- end of the table -->"
)

// withTable returns the document, and the document as it has to be.
func withTable(reports []*conformance.Report) (is, want []byte, err error) {
	is, err = os.ReadFile(document)
	if err != nil {
		return nil, nil, err
	}
	table, err := conformance.Table(reports)
	if err != nil {
		return nil, nil, err
	}
	before, rest, found := bytes.Cut(is, []byte(begins))
	_, after, foundEnd := bytes.Cut(rest, []byte(ends))
	if !found || !foundEnd {
		return nil, nil, fmt.Errorf("%s has no table between %q and %q", document, begins, ends)
	}
	return is, bytes.Join([][]byte{before, []byte(begins + "\n" + table + "\n" + ends), after}, nil), nil
}

func checkTable(reports []*conformance.Report) error {
	is, want, err := withTable(reports)
	if err == nil && !bytes.Equal(is, want) {
		err = fmt.Errorf("the table of %s is out of date: go run ./tests/conformance/all -w", document)
	}
	return err
}

func writeTable(reports []*conformance.Report) error {
	_, want, err := withTable(reports)
	if err != nil {
		return err
	}
	return os.WriteFile(document, want, 0o644)
}
