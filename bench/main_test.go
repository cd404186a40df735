package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/proc"
	"github.com/parley-rpc/parley/bench/internal/report"
	"github.com/parley-rpc/parley/bench/internal/target"
)

// The processes of a measurement run this program again. With the race
// detector, each would wait for a second before it exits.
func TestMain(m *testing.M) {
	if isChild, err := child(); isChild {
		proc.Exit("child", err)
	}
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// bench runs the program with arguments, and returns its output.
func bench(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out, log bytes.Buffer
	if err := run(ctx, args, &out, &log); err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	return out.String()
}

func TestQuickPrintsANameAndARatioForEachWorkload(t *testing.T) {
	out := bench(t, "-quick", "-rounds", "1", "-seconds", "0.02", "-scale", "0.01")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	names := strings.Split(quickWorkloads, ",")
	if len(lines) != len(names) {
		t.Fatalf("%d lines for %d workloads: %q", len(lines), len(names), out)
	}
	for i, name := range names {
		if !regexp.MustCompile(`^` + name + ` \d+\.\d\d$`).MatchString(lines[i]) {
			t.Errorf("line %d is %q", i, lines[i])
		}
	}
}

func TestReportIsWrittenAndCanBeWrittenAgainFromTheRawFigures(t *testing.T) {
	dir, again := t.TempDir(), t.TempDir()
	bench(t, "-workloads", "unary-64,idle-conns,in-flight-4", "-targets", "parley,grpc-go", "-rounds", "2",
		"-seconds", "0.02", "-scale", "0.02", "-out", dir)
	page := read(t, dir, "benchmarks.md")
	for _, want := range []string{"### unary-64", "### idle-conns", "### in-flight", "| grpc-go | google.golang.org/grpc, "} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if strings.Contains(page, dir) {
		t.Error("the page names a folder of this machine")
	}
	for _, link := range regexp.MustCompile(`\]\((benchmarks/[^)]+)\)`).FindAllStringSubmatch(page, -1) {
		read(t, dir, link[1])
	}
	r, err := report.Load(filepath.Join(dir, "benchmarks", "results.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, metric := range []string{drive.CallRate.Name, drive.CPU.Name} {
		if s, ok := r.Figure("unary-64", "parley", metric); !ok || s.Min <= 0 {
			t.Errorf("parley has %+v %s", s, metric)
		}
	}
	bench(t, "-from", filepath.Join(dir, "benchmarks", "results.json"), "-out", again)
	if read(t, again, "benchmarks.md") != page {
		t.Error("the page is another one when it is written again")
	}
}

func TestLimitLeavesOutRounds(t *testing.T) {
	dir := t.TempDir()
	bench(t, "-workloads", "pingpong", "-targets", "parley", "-rounds", "9", "-seconds", "0.01", "-limit", "1ns", "-out", dir)
	r, err := report.Load(filepath.Join(dir, "benchmarks", "results.json"))
	if err != nil {
		t.Fatal(err)
	}
	if r.Rounds != 1 || len(r.Results[0].Rounds) != 1 {
		t.Errorf("%d rounds, %d of them with figures", r.Rounds, len(r.Results[0].Rounds))
	}
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestProfilesAreOfBothProcesses(t *testing.T) {
	dir := t.TempDir()
	bench(t, "-workloads", "pingpong", "-targets", "parley", "-rounds", "1", "-seconds", "0.02", "-profile", dir)
	for _, side := range []string{"client", "server"} {
		for _, kind := range []string{"cpu", "allocs"} {
			name := fmt.Sprintf("pingpong-parley-%s.%s.pprof", side, kind)
			if read(t, dir, name) == "" {
				t.Errorf("%s is empty", name)
			}
		}
	}
}

func TestUnknownNamesAreRefused(t *testing.T) {
	for _, args := range [][]string{{"-workloads", "unary-65"}, {"-targets", "parley,nobody"}, {"-targets", "["}, {"-rounds", "many"}} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
}

func TestPairsAndSlowWorkloadsAreBoundedOnlyWhenEverythingIsMeasured(t *testing.T) {
	all, err := parse(nil, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	some, err := parse([]string{"-workloads", "head-of-line,idle-conns", "-targets", "ttrpc"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		plan             *plan
		round            int
		workload, target string
		want             bool
	}{
		{all, 0, "head-of-line", "parley", true},
		{all, 0, "head-of-line", "grpc-go", true},
		{all, 0, "head-of-line", "ttrpc", false},
		{some, 0, "head-of-line", "ttrpc", true},
		{all, 2, "idle-conns", "ttrpc", true},
		{all, 3, "idle-conns", "ttrpc", false},
		{some, 3, "idle-conns", "ttrpc", true},
		{all, 0, "unary-64", "gorilla", false},
	} {
		if got := c.plan.wants(c.round, drive.Named(c.workload), target.Named(c.target)); got != c.want {
			t.Errorf("round %d of %s on %s: %v", c.round, c.workload, c.target, got)
		}
	}
	if all.command != "make bench" || some.command != "go run . -targets ttrpc -workloads head-of-line,idle-conns" {
		t.Errorf("the commands are %q and %q", all.command, some.command)
	}
}
