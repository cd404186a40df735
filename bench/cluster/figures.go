package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/parley-rpc/parley/bench/internal/report"
	"github.com/parley-rpc/parley/bench/internal/stat"
)

// place is where a client is, seen from the node that calls it, and its name.
type place string

const (
	here    place = "here"
	there   place = "there"
	relayed place = "relayed"
)

// figures are the values of all rounds.
type figures struct {
	plan   *plan
	values map[string][]float64 // by "part/name"
}

func newFigures(p *plan) *figures { return &figures{p, make(map[string][]float64)} }

func (f *figures) add(part, name string, v float64) {
	key := part + "/" + name
	f.values[key] = append(f.values[key], v)
}

func (f *figures) addCalls(client place, workers int, r rate) {
	switch workers {
	case 0:
		f.add(string(client), "stream", r.PerSecond)
	case 1:
		f.add(string(client), "p50", float64(r.P50)/float64(time.Microsecond))
	default:
		f.add(string(client), "calls", r.PerSecond)
	}
}

func (f *figures) addFanOut(got fanOut) {
	f.add("fan-out", "p50", float64(got.P50)/float64(time.Millisecond))
	f.add("fan-out", "p99", float64(got.P99)/float64(time.Millisecond))
	f.add("fan-out", "hidden", float64(got.Hidden))
}

// of returns the values of a figure.
func (f *figures) of(key string) []float64 { return f.values[key] }

// ratio returns the ratio of two figures in each round.
func (f *figures) ratio(key, to string) (ratios []float64) {
	for i, v := range f.of(key) {
		ratios = append(ratios, v/f.of(to)[i])
	}
	return ratios
}

// row is a line of the page.
type row struct {
	what   string
	values []float64
	unit   string
	bar    float64 // 0: none
	atMost bool    // the bar is an upper limit
}

// verdict says whether the median meets the bar.
func (r row) verdict() string {
	median := stat.Summarize(r.values).Median
	switch {
	case r.unit == "" && r.bar == 0 || r.bar == 0 && !r.atMost:
		return ""
	case r.atMost && median <= r.bar, !r.atMost && median >= r.bar:
		return fmt.Sprintf("%s %s: met", r.sign(), report.Number(r.bar))
	}
	return fmt.Sprintf("%s %s: missed", r.sign(), report.Number(r.bar))
}

func (r row) sign() string {
	if r.atMost {
		return "≤"
	}
	return "≥"
}

// rows returns the rows that were measured.
func (f *figures) rows() []row {
	perClient := "bytes"
	rows := []row{
		{what: "call to a client on this node: p50, one in flight", values: f.of("here/p50"), unit: "µs"},
		{what: "on another node: p50", values: f.of("there/p50"), unit: "µs"},
		{what: "on another node: p50, of one on this node", values: f.ratio("there/p50", "here/p50"), unit: "x", bar: 2.5, atMost: true},
		{what: "through a relay: p50", values: f.of("relayed/p50"), unit: "µs"},
		{what: "on this node: 64 in flight", values: f.of("here/calls"), unit: "calls/s"},
		{what: "on another node: 64 in flight", values: f.of("there/calls"), unit: "calls/s", bar: 45_000},
		{what: "through a relay: 64 in flight", values: f.of("relayed/calls"), unit: "calls/s"},
		{what: "on this node: a stream", values: f.of("here/stream"), unit: "messages/s"},
		{what: "on another node: a stream", values: f.of("there/stream"), unit: "messages/s"},
		{what: "on another node: a stream, of one on this node", values: f.ratio("there/stream", "here/stream"), unit: "x", bar: 0.6},
		{what: "through a relay: a stream", values: f.of("relayed/stream"), unit: "messages/s"},
		{what: "one process without a bus: calls of a client, 64 in flight", values: f.of("single/alone"), unit: "calls/s"},
		{what: "of the same without ext/cluster", values: f.ratio("single/alone", "single/plain"), unit: "x", bar: 0.97},
		{what: "topic, 300 subscribers on three nodes", values: f.of("fan-out/deliveries"), unit: "deliveries/s", bar: 200_000},
		{what: "at 100,000 deliveries/s: p50", values: f.of("fan-out/p50"), unit: "ms"},
		{what: "at 100,000 deliveries/s: p99", values: f.of("fan-out/p99"), unit: "ms", bar: 20, atMost: true},
		{what: "messages that were missing, and not told, in each run", values: f.of("fan-out/hidden"), unit: "messages", atMost: true},
		{what: "idle client at a server without ext/cluster", values: f.of("idle/plain"), unit: perClient},
		{what: "idle client at its node", values: f.of("idle/clustered"), unit: perClient},
		{what: "idle client at NATS", values: f.of("idle/nats"), unit: perClient},
		{what: "idle client whose link is relayed: at the owner of its session", values: f.of("idle/owner"), unit: perClient},
		{what: "idle client whose link is relayed: at the node that passes it on", values: f.of("idle/entry"), unit: perClient},
		{what: "messages of NATS while all are idle, three nodes", values: f.of("idle/messages"), unit: "messages/s"},
	}
	return slices.DeleteFunc(rows, func(r row) bool { return len(r.values) == 0 })
}

const pageName = "benchmarks-cluster.md"

// write writes the figures to out, and the page into a folder if it is named.
func (f *figures) write(out io.Writer, folder string) error {
	if folder != "" {
		file, err := os.Create(filepath.Join(folder, pageName))
		if err != nil {
			return err
		}
		if err := f.page(file); err != nil {
			_ = file.Close()
			return err
		}
		if err := file.Close(); err != nil {
			return err
		}
	}
	for _, r := range f.rows() {
		if _, err := fmt.Fprintf(out, "%-62s %s %s  %s\n", r.what, report.Spread(stat.Summarize(r.values)), r.unit, r.verdict()); err != nil {
			return err
		}
	}
	return nil
}

func (f *figures) page(w io.Writer) error {
	m := report.ThisMachine()
	_, err := fmt.Fprintf(w, `# Benchmarks of several servers as one

<!-- Written by make bench-cluster. -->

Three nodes, a NATS server and the clients are processes of their own on one machine. [cluster.md](cluster.md) says what
the parts are, [bench/README.md](../bench/README.md#several-servers-as-one) how each figure is measured. A figure is the
median of the rounds, with the lowest and the highest. The rounds are interleaved.

| measured on |  |
|---|---|
| CPU | %s, %d cores |
| kernel | %s |
| Go | %s |
| rounds | %d, with intervals of %v |
| idle clients | %d, measured once |
| command | `+"`make bench-cluster`"+` |

| what | figure | unit | bar |
|---|--:|---|---|
`, m.CPU, m.Cores, m.Kernel, m.Go, f.plan.rounds, f.plan.measured, f.plan.idle)
	for _, r := range f.rows() {
		if err == nil {
			_, err = fmt.Fprintf(w, "| %s | %s | %s | %s |\n", r.what, report.Spread(stat.Summarize(r.values)), r.unit, r.verdict())
		}
	}
	return err
}
