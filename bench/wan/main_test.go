package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/bench/internal/path"
	"github.com/parley-rpc/parley/bench/internal/pick"
	"github.com/parley-rpc/parley/bench/internal/proc"
	"github.com/parley-rpc/parley/bench/internal/report"
	"github.com/parley-rpc/parley/bench/internal/wan"
)

// The processes of a measurement are this program again. The race detector
// would have each of them wait for a second before it exits.
func TestMain(m *testing.M) {
	if isChild, err := child(); isChild {
		proc.Exit("child", err)
	}
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// measure runs the program with arguments, and returns what it prints.
func measure(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out, log bytes.Buffer
	if err := run(ctx, args, &out, &log); err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	return out.String()
}

func TestTableHasARowForEachMetric(t *testing.T) {
	out := measure(t, "-paths", "30ms-1gbit", "-targets", "parley,drpc", "-workloads", "first,upload", "-for", "50ms")
	for _, want := range []string{`30ms-1gbit +parley +drpc`, `first +first call ms( +\d+\.?\d*){2}`, `upload +MB/s( +\d+\.?\d*){2}`} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("there is no %q in\n%s", want, out)
		}
	}
}

func TestPageCanBeWrittenAgainFromTheRawFigures(t *testing.T) {
	dir, again := t.TempDir(), t.TempDir()
	measure(t, "-paths", "30ms-1gbit,20ms-*", "-targets", "parley,grpc-go", "-workloads", "first,upload,cut", "-rounds", "2",
		"-for", "50ms", "-limit", "1ns", "-out", dir)
	page := read(t, dir, "benchmarks-wan.md")
	for _, want := range []string{"## 30 ms, 1 Gbit/s", "## 20 ms, 50 Mbit/s", "## Goals", "| rounds | 1, with intervals of 0.05"} {
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
	raw := filepath.Join(dir, "benchmarks", "wan.json")
	r, err := report.LoadWAN(raw)
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := r.Over(wan.Paths()[0], "upload", "grpc-go", wan.ByteRate.Name); !ok || s.Min <= 0 {
		t.Errorf("grpc-go has %+v", s)
	}
	measure(t, "-from", raw, "-out", again)
	if read(t, again, "benchmarks-wan.md") != page {
		t.Error("the page is another one when it is written again")
	}
}

func TestPageOfTheDocumentsIsThatOfItsRawFigures(t *testing.T) {
	docs := filepath.Join("..", "..", "docs")
	r, err := report.LoadWAN(filepath.Join(docs, "benchmarks", "wan.json"))
	if err != nil {
		t.Fatal(err)
	}
	if read(t, docs, "benchmarks-wan.md") != r.Page(notes) {
		t.Error("go run ./wan -from ../docs/benchmarks/wan.json -out ../docs")
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

func TestUnknownNamesAreRefused(t *testing.T) {
	for _, args := range [][]string{
		{"-workloads", "nothing"}, {"-targets", "parley,nobody"}, {"-paths", "["}, {"-rounds", "many"},
		{"-targets", "node/parley"}, // there are no programs in TypeScript
	} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
}

func TestPatternsSelectTargetsInTypeScriptToo(t *testing.T) {
	for pattern, want := range map[string]string{
		"*":       "parley, grpc-go, connect-go, drpc, node/parley, node/connect-web, chromium/parley, chromium/connect-web",
		"*parley": "parley, node/parley, chromium/parley",
		"node/*":  "node/parley, node/connect-web",
	} {
		p, err := parse([]string{"-scripts", "there", "-targets", pattern}, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if got := pick.Names(p.targets, targetName); got != want {
			t.Errorf("%s selects %s", pattern, got)
		}
	}
}

func TestFastPathsAreMeasuredAlone(t *testing.T) {
	var alone []path.Path
	for _, p := range wan.Paths() {
		if !light(p) {
			alone = append(alone, p)
		}
	}
	if got := pick.Names(alone, path.Path.String); got != "30ms-1gbit, 100ms-unlimited" {
		t.Errorf("these are measured alone: %s", got)
	}
}

func TestCommandLeavesOutWhatDoesNotAffectFigures(t *testing.T) {
	for want, args := range map[string][]string{
		"make bench-wan":                       {"-rounds", "3", "-for", "1s", "-scripts", "there", "-out", "docs", "-limit", "1m"},
		"go run ./wan -paths 30ms-* -rounds 2": {"-paths", "30ms-*", "-rounds", "2", "-out", "docs"},
	} {
		p, err := parse(args, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if p.command != want {
			t.Errorf("the command is %q, want %q", p.command, want)
		}
	}
}
