package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// measured is the result of a load. Times are in milliseconds.
type measured struct {
	Method   string           `json:"method"`
	Seconds  float64          `json:"seconds"`
	Calls    int64            `json:"calls"` // that were OK
	PerS     float64          `json:"callsPerSecond"`
	Failed   int64            `json:"failed"`
	Failures map[string]int64 `json:"failures,omitempty"` // by code
	Times    map[string]ms    `json:"timesMs,omitempty"`
	Buckets  []bucket         `json:"histogram,omitempty"`
}

// ms are milliseconds, with as many digits as were measured.
type ms float64

func (m ms) MarshalJSON() ([]byte, error) {
	return []byte(strconv.FormatFloat(float64(m), 'f', 3, 64)), nil
}

// bucket is the number of calls that took a range of times.
type bucket struct {
	From  ms    `json:"fromMs"`
	To    ms    `json:"toMs"`
	Calls int64 `json:"calls"`
}

// percentiles are the percentiles shown.
var percentiles = []struct {
	name string
	of   float64
}{{"p50", 50}, {"p90", 90}, {"p95", 95}, {"p99", 99}, {"p99.9", 99.9}}

// measure sums up what was counted so far.
func (l *load) measure() measured {
	m := measured{Method: l.method.Path(), Seconds: time.Since(l.begun).Seconds(), Failures: make(map[string]int64)}
	times := hdrhistogram.New(leastTime, mostTime, digits)
	for _, s := range l.shards {
		s.mu.Lock()
		times.Merge(s.times)
		for code, n := range s.failed {
			m.Failures[code.String()] += n
			m.Failed += n
		}
		s.mu.Unlock()
	}
	m.Calls = times.TotalCount()
	m.PerS = float64(m.Calls) / m.Seconds
	if m.Calls == 0 {
		return m
	}
	m.Times = map[string]ms{"min": inMS(times.Min()), "mean": ms(times.Mean() / 1e6), "max": inMS(times.Max())}
	for _, p := range percentiles {
		m.Times[p.name] = inMS(times.ValueAtQuantile(p.of))
	}
	m.Buckets = buckets(times)
	return m
}

func inMS(nanoseconds int64) ms { return ms(float64(nanoseconds) / 1e6) }

// buckets returns at most twelve buckets of exponentially growing size.
func buckets(times *hdrhistogram.Histogram) []bucket {
	const most = 12
	low, high := float64(times.Min()), float64(times.Max())
	factor := math.Pow(high/low, 1.0/most)
	if factor < 1.01 { // all took the same time
		return []bucket{{inMS(times.Min()), inMS(times.Max()), times.TotalCount()}}
	}
	all := make([]bucket, most)
	for i := range all {
		all[i].From, all[i].To = ms(low*math.Pow(factor, float64(i))/1e6), ms(low*math.Pow(factor, float64(i+1))/1e6)
	}
	for _, bar := range times.Distribution() {
		if bar.Count > 0 {
			i := int(math.Log(max(float64(bar.From), low)/low) / math.Log(factor))
			all[min(i, most-1)].Calls += bar.Count
		}
	}
	return all
}

// showMeasured prints the result. It fails if a call has failed or ctx has
// ended.
func (p *program) showMeasured(ctx context.Context, m measured) error {
	if p.json() {
		if err := json.NewEncoder(p.Out).Encode(m); err != nil {
			return err
		}
	} else {
		fmt.Fprint(p.Out, m.text())
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case m.Failed > 0:
		return failure{exitStatus, fmt.Errorf("%d of %d calls failed", m.Failed, m.Calls+m.Failed)}
	case m.Calls == 0:
		return failure{exitStatus, errors.New("no call ended in time: raise --duration")}
	}
	return nil
}

// text formats the result for people.
func (m measured) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d calls in %.1f s: %.0f a second\n", m.Calls, m.Seconds, m.PerS)
	codes := make([]string, 0, len(m.Failures))
	for code, n := range m.Failures {
		codes = append(codes, fmt.Sprintf("%d %s", n, code))
	}
	if slices.Sort(codes); len(codes) > 0 {
		fmt.Fprintf(&b, "%d calls failed: %s\n", m.Failed, strings.Join(codes, ", "))
	}
	if m.Calls == 0 {
		return b.String()
	}
	b.WriteString("\n")
	line := func(name string) { fmt.Fprintf(&b, "%7s %10.3f ms\n", name, m.Times[name]) }
	line("min")
	line("mean")
	for _, p := range percentiles {
		line(p.name)
	}
	line("max")
	b.WriteString("\n")
	var most int64
	for _, k := range m.Buckets {
		most = max(most, k.Calls)
	}
	for _, k := range m.Buckets {
		bar := strings.Repeat("#", int(math.Ceil(40*float64(k.Calls)/float64(most))))
		fmt.Fprintf(&b, "%10.3f to %10.3f ms %9d %s\n", k.From, k.To, k.Calls, bar)
	}
	return b.String()
}
