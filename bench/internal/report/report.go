// Package report turns measurements into a page with tables, charts, and the
// verdicts on the bars.
package report

import (
	"encoding/json"
	"os"

	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/stat"
)

const (
	subject   = "parley"
	reference = "grpc-go"
)

// Report is all measurements of one run, as stored in results.json.
type Report struct {
	Machine Machine
	Targets []Target
	Command string
	Rounds  int
	Seconds float64 // of the measured interval
	Results []*Result
}

// Target is a framework that was measured.
type Target struct {
	Name    string
	Module  string
	Version string
}

// Result is the measurements of one workload on one target.
type Result struct {
	Workload string
	Target   string
	Rounds   []drive.Figures // null for a failed one
	Error    string          `json:",omitempty"` // of the last that has failed
}

// Load reads a results.json.
func Load(file string) (*Report, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := new(Report)
	return r, json.Unmarshal(text, r)
}

// JSON returns what Load reads.
func (r *Report) JSON() ([]byte, error) {
	text, err := json.MarshalIndent(r, "", "\t")
	return append(text, '\n'), err
}

// Add adds the results of a round, or its error.
func (r *Report) Add(workload, target string, f drive.Figures, err error) {
	res := r.find(workload, target)
	if res == nil {
		res = &Result{Workload: workload, Target: target}
		r.Results = append(r.Results, res)
	}
	if err != nil {
		res.Error = err.Error()
	}
	res.Rounds = append(res.Rounds, f)
}

func (r *Report) find(workload, target string) *Result {
	for _, res := range r.Results {
		if res.Workload == workload && res.Target == target {
			return res
		}
	}
	return nil
}

// Figure summarizes a metric over the rounds. ok is false if there is no round.
func (r *Report) Figure(workload, target, metric string) (stat.Summary, bool) {
	var values []float64
	if res := r.find(workload, target); res != nil {
		for _, f := range res.Rounds {
			if v, ok := f[metric]; ok {
				values = append(values, v)
			}
		}
	}
	return stat.Summarize(values), len(values) > 0
}

// Ratio summarizes the ratio of a metric of two targets, over the rounds that
// both have.
func (r *Report) Ratio(workload, target, against, metric string) (stat.Summary, bool) {
	return ratio(r.find(workload, target), r.find(workload, against), metric)
}

// ratio is Ratio of two results, which may be nil.
func ratio(mine, theirs *Result, metric string) (stat.Summary, bool) {
	if mine == nil || theirs == nil {
		return stat.Summary{}, false
	}
	var ratios []float64
	for i := range min(len(mine.Rounds), len(theirs.Rounds)) {
		v, ok := mine.Rounds[i][metric]
		w := theirs.Rounds[i][metric]
		if ok && w > 0 {
			ratios = append(ratios, v/w)
		}
	}
	return stat.Summarize(ratios), len(ratios) > 0
}
