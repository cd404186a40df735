package report

import (
	"encoding/json"
	"os"

	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/path"
	"github.com/parley-rpc/parley/bench/internal/stat"
	"github.com/parley-rpc/parley/bench/internal/wan"
)

// WAN is everything that was measured over paths in one run, as it is kept in
// wan.json. Its results are those of a path's workload: PATH/WORKLOAD.
type WAN struct {
	Report
	Congestion string // control of TCP, or "" if it is not known
}

// LoadWAN reads a wan.json.
func LoadWAN(file string) (*WAN, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := new(WAN)
	return r, json.Unmarshal(text, r)
}

// JSON is what LoadWAN reads.
func (r *WAN) JSON() ([]byte, error) {
	text, err := json.MarshalIndent(r, "", "\t")
	return append(text, '\n'), err
}

// over is the name of a workload over a path.
func over(p path.Path, workload string) string { return p.String() + "/" + workload }

// AddOver adds the results of a round over a path, or its error.
func (r *WAN) AddOver(p path.Path, workload, target string, f drive.Figures, err error) {
	r.Add(over(p, workload), target, f, err)
}

// Over sums up a metric over the rounds. It is false if there is no round.
func (r *WAN) Over(p path.Path, workload, target, metric string) (stat.Summary, bool) {
	return r.Figure(over(p, workload), target, metric)
}

// judgeGoal compares a goal with what was measured.
func (r *WAN) judgeGoal(g wan.Goal) verdict {
	v := verdict{workload: g.Workload + ", " + g.Metric.Name, bar: "≤ ", result: notMeasured}
	if g.Metric.Higher {
		v.bar = "≥ "
	}
	s, ok := r.Over(g.Path, g.Workload, g.Target, g.Metric.Name)
	limit, unit := g.Limit, 1.0
	switch g.Unit {
	case wan.Plain:
		v.bar += plain(g.Limit)
	case wan.Link:
		v.bar += plain(g.Limit) + " of the link"
		unit = wan.LinkRate(g.Path, g.Workload)
	case wan.Times:
		v.bar += plain(g.Limit) + "x of " + g.Against
		s, ok = r.Ratio(over(g.Path, g.Workload), g.Target, g.Against, g.Metric.Name)
	case wan.RoundTrips:
		v.bar += plain(g.Limit) + " round trips"
		unit = float64(g.Path.RoundTrip.Milliseconds())
		limit += float64(wan.Slack.Milliseconds()) / unit
	}
	if !ok {
		return v
	}
	v.measured = Spread(stat.Summary{Median: s.Median / unit, Min: s.Min / unit, Max: s.Max / unit})
	v.result = missed
	if g.Metric.Higher && s.Median/unit >= limit || !g.Metric.Higher && s.Median/unit <= limit {
		v.result = met
	}
	return v
}
