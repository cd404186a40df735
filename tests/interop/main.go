// Command interop runs the cases of gRPC's interoperability tests
// (google.golang.org/grpc/interop) over parley: each in each arrangement, and
// each in its own process, because a failure ends the process.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"time"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	if which := os.Getenv(variable); which != "" {
		exit(child(ctx, which, cases))
	}
	exit(run(ctx, os.Stdout, cases))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// variable is the environment variable with the case that a process runs:
// "arrangement/case".
const variable = "PARLEY_INTEROP"

// caseTimeout bounds a case. Cases that wait for something take a second at
// most.
const caseTimeout = 30 * time.Second

// result is the result of a case in an arrangement.
type result struct {
	err    error
	output string
	took   time.Duration
}

// run runs all cases in all arrangements and prints a table. It returns an
// error if some failed.
func run(ctx context.Context, out io.Writer, cases []testCase) error {
	results := make([][]result, len(cases))
	turn := make(chan struct{}, runtime.GOMAXPROCS(0))
	var all sync.WaitGroup
	for i, c := range cases {
		results[i] = make([]result, len(arrangements))
		for j, a := range arrangements {
			all.Go(func() {
				turn <- struct{}{}
				defer func() { <-turn }()
				results[i][j] = spawn(ctx, a.name+"/"+c.name)
			})
		}
	}
	all.Wait()
	return report(out, cases, results)
}

// spawn runs a case in a process of its own.
func spawn(ctx context.Context, which string) (r result) {
	program, err := os.Executable()
	if err != nil {
		return result{err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, caseTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = append(os.Environ(), variable+"="+which, "GRPC_GO_LOG_SEVERITY_LEVEL=error")
	began := time.Now()
	output, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = fmt.Errorf("it did not end: %w", context.Cause(ctx))
	}
	return result{err: err, output: strings.TrimSpace(string(output)), took: time.Since(began)}
}

// report prints the table, and the output of failed cases.
func report(out io.Writer, cases []testCase, results [][]result) error {
	fmt.Fprintf(out, "%-28s", "")
	for _, a := range arrangements {
		fmt.Fprintf(out, "%-14s", a.name)
	}
	fmt.Fprintln(out)
	passed, failed := 0, 0
	var faults strings.Builder
	for i, c := range cases {
		fmt.Fprintf(out, "%-28s", c.name)
		for j, a := range arrangements {
			r := results[i][j]
			word := "ok"
			if r.err != nil {
				word = "FAILED"
				failed++
				fmt.Fprintf(&faults, "\n%s, %s: %v\n%s\n", c.name, a.name, r.err, r.output)
			} else {
				passed++
			}
			fmt.Fprintf(out, "%-14s", fmt.Sprintf("%s %d ms", word, r.took.Milliseconds()))
		}
		fmt.Fprintln(out)
	}
	fmt.Fprintln(out)
	for _, a := range arrangements {
		fmt.Fprintf(out, "%s: %s\n", a.name, a.what)
	}
	fmt.Fprint(out, faults.String())
	fmt.Fprintf(out, "\n%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		return fmt.Errorf("%d of %d failed", failed, passed+failed)
	}
	return nil
}
