// Other processors round a product and a sum once, not twice: a digit may
// differ.

//go:build amd64

package transport

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the traces instead of comparing with them")

// traceStep is a part of a trace: the path as it is for a time, and how often
// it is recorded.
type traceStep struct {
	roundTrip  time.Duration
	rate       float64 // bytes a second
	length     time.Duration
	every      time.Duration // 0: nothing is recorded
	recordFrom time.Duration // since the beginning of the trace
}

// traces are quoted in docs/design/flow.md.
var traces = []struct {
	name  string
	steps []traceStep
}{
	{"100ms-100Mbit", []traceStep{
		{100 * time.Millisecond, 100 * megabit, 3 * time.Second, 200 * time.Millisecond, 0},
		{100 * time.Millisecond, 100 * megabit, 7600 * time.Millisecond, 100 * time.Millisecond, 10 * time.Second},
	}},
	{"20ms-50Mbit", []traceStep{
		{20 * time.Millisecond, 50 * megabit, 3200 * time.Millisecond, 200 * time.Millisecond, 0},
	}},
	{"rate-changes", []traceStep{
		{100 * time.Millisecond, 100 * megabit, 5 * time.Second, 250 * time.Millisecond, 4750 * time.Millisecond},
		{100 * time.Millisecond, 50 * megabit, 2500 * time.Millisecond, 250 * time.Millisecond, 0},
		{100 * time.Millisecond, 100 * megabit, 2500 * time.Millisecond, 250 * time.Millisecond, 0},
	}},
	{"round-trip-changes", []traceStep{
		{50 * time.Millisecond, 100 * megabit, 5 * time.Second, 250 * time.Millisecond, 4750 * time.Millisecond},
		{150 * time.Millisecond, 100 * megabit, 2 * time.Second, 250 * time.Millisecond, 0},
	}},
}

func TestTracesAreAsTheDocumentShowsThem(t *testing.T) {
	for _, c := range traces {
		t.Run(c.name, func(t *testing.T) {
			got := trace(c.steps)
			name := filepath.Join("testdata", "flow", c.name+".txt")
			if *update {
				if err := os.WriteFile(name, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s is not as it was; if that is meant: go test ./transport -run Traces -update, and quote it in docs/design/flow.md", name)
			}
		})
	}
}

// trace returns what happens on a path, as a table.
func trace(steps []traceStep) []byte {
	m := newPathModel(steps[0].roundTrip, steps[0].rate)
	m.path.initial = 2 << 20 // as with the default of Parameters.ReplayLimit
	began := m.now
	var b bytes.Buffer
	fmt.Fprintln(&b, "    ms  phase     rate  round trip  limit  in flight  queue")
	fmt.Fprintln(&b, "              Mbit/s          ms    KiB        KiB     ms")
	for _, s := range steps {
		m.roundTrip, m.rate = s.roundTrip, s.rate
		for left := s.length; left > 0; left -= s.every {
			m.run(s.every)
			if since := m.now.Sub(began); since >= s.recordFrom {
				m.record(&b, since)
			}
		}
	}
	return b.Bytes()
}

// record writes a row of a trace.
func (m *pathModel) record(b *bytes.Buffer, since time.Duration) {
	p := m.path
	name := [...]string{phaseStartUp: "start-up", phaseDrain: "drain", phaseCruise: "cruise", phaseDip: "dip"}[p.phase]
	fmt.Fprintf(b, "%6d  %-8s  %4.0f  %10.0f  %5d  %9d  %5d\n", since.Milliseconds(), name,
		p.rate.most/megabit, p.roundTrip.least.Seconds()*1000, p.limit()>>10, (p.sent-p.acked)>>10,
		max(0, m.free.Sub(m.now)).Milliseconds())
}
