package drive_test

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	benchv1 "github.com/parley-rpc/parley/bench/gen/bench/v1"
	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/proc"
)

func TestRateIsOfAllCallersWithinTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := fake{echo: func(_ context.Context, req *benchv1.EchoRequest) (*benchv1.EchoResponse, error) {
			after(10 * time.Millisecond)
			return &benchv1.EchoResponse{Payload: req.GetPayload()}, nil
		}}
		f, err := runFake(t, "unary-64", slow)
		if err != nil {
			t.Fatal(err)
		}
		if got := f[drive.CallRate.Name]; math.Abs(got-6400) > 64 {
			t.Errorf("64 callers with calls of 10 ms make %v calls/s, want 6400", got)
		}
		f, err = runFake(t, "unary-1", slow)
		if err != nil {
			t.Fatal(err)
		}
		if got := f[drive.P50.Name]; got != 10_000 {
			t.Errorf("calls of 10 ms have a p50 of %v µs", got)
		}
	})
}

func TestWrongAnswerFailsTheMeasurement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		_, err := runFake(t, "unary-1", fake{echo: func(_ context.Context, req *benchv1.EchoRequest) (*benchv1.EchoResponse, error) {
			after(time.Millisecond)
			if calls++; calls == 100 {
				return &benchv1.EchoResponse{Payload: req.GetPayload()[1:]}, nil
			}
			return &benchv1.EchoResponse{Payload: req.GetPayload()}, nil
		}})
		if !errors.Is(err, drive.ErrAnswer) {
			t.Errorf("one answer of a hundred is too short, and the error is %v", err)
		}
	})
}

func TestFailedCallFailsTheMeasurement(t *testing.T) {
	broken := errors.New("broken")
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		_, err := runFake(t, "unary-64", fake{echo: func(ctx context.Context, req *benchv1.EchoRequest) (*benchv1.EchoResponse, error) {
			n := calls.Add(1)
			if n == 50 {
				return nil, broken
			}
			if n > 1 {
				<-ctx.Done() // the others are canceled too
			}
			return &benchv1.EchoResponse{Payload: req.GetPayload()}, nil
		}})
		if !errors.Is(err, broken) {
			t.Errorf("the error is %v", err)
		}
	})
}

func TestUploadThatDoesNotArriveFailsTheMeasurement(t *testing.T) {
	for name, count := range map[string]func(messages, bytes uint64) (*benchv1.UploadResponse, error){
		"a message less": func(messages, bytes uint64) (*benchv1.UploadResponse, error) {
			return &benchv1.UploadResponse{Messages: messages - 1, Bytes: bytes}, nil
		},
		"a byte less": func(messages, bytes uint64) (*benchv1.UploadResponse, error) {
			return &benchv1.UploadResponse{Messages: messages, Bytes: bytes - 1}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := drive.RunHere(t.Context(), drive.Job{Workload: "upload", Measure: time.Millisecond, Scale: 1}, fake{count: count})
			if !errors.Is(err, drive.ErrAnswer) {
				t.Errorf("the figures are %v, the error is %v", f, err)
			}
		})
	}
}

// growing is a server whose memory use is set by a test.
type growing struct {
	drive.Server
	memory []proc.Usage
}

func (s *growing) Addr() string { return "" }

func (s *growing) Look(proc.Depth) (proc.Usage, error) {
	u := s.memory[0]
	if len(s.memory) > 1 {
		s.memory = s.memory[1:]
	}
	return u, nil
}

func TestMemoryIsWhatTheServerGrowsByForEachConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mib := func(resident, heap, stacks int64) proc.Usage {
			return proc.Usage{Resident: resident << 20, Heap: heap << 20, Stacks: stacks << 20}
		}
		s := &growing{memory: []proc.Usage{
			mib(10, 4, 1), mib(8, 3, 1), mib(8, 3, 1), // before: memory still shrinks
			mib(30, 20, 5), mib(28, 13, 5), mib(28, 13, 5), // after
		}}
		f, err := drive.Named("idle-conns").Run(t.Context(), &drive.Bench{
			Job: drive.Job{Scale: 0.512}, Target: fake{}, Server: s, // 1,024 connections
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := f[drive.Resident.Name]; got != 20 {
			t.Errorf("20 MiB more for 1,024 connections are %v KiB each", got)
		}
		if got := f[drive.HeapStacks.Name]; got != 14 {
			t.Errorf("14 MiB more for 1,024 connections are %v KiB each", got)
		}
	})
}

func TestWorkloadsAreForTargetsThatTheyMeanSomethingFor(t *testing.T) {
	multiplexed := drive.About{}
	pooled := drive.About{Shares: drive.Pooled}
	alone := drive.About{Shares: drive.Alone, Lacks: []string{"wire"}}
	for _, c := range []struct {
		workload string
		about    drive.About
		want     bool
	}{
		{"unary-64", multiplexed, true},
		{"unary-64", pooled, true},
		{"unary-64", alone, false},
		{"unary-1", alone, true},
		{"wire", alone, false},
		{"head-of-line", multiplexed, true},
		{"head-of-line", pooled, false},
		{"idle-streams", pooled, true},
		{"idle-streams", alone, false},
		{"idle-conns", alone, true},
		{"open-streams-10", pooled, false},
		{"beside-streams", pooled, false},
		{"unary-64-options", multiplexed, false},
		{"unary-64-options", drive.About{Options: true}, true},
	} {
		if got := drive.Named(c.workload).Suits(c.about); got != c.want {
			t.Errorf("%s suits %+v: %v", c.workload, c.about, got)
		}
	}
}

func TestEveryBarIsAboutAMetricThatIsMeasured(t *testing.T) {
	names := make(map[string]bool)
	for _, w := range drive.Everything() {
		if names[w.Name] {
			t.Errorf("two workloads are named %s", w.Name)
		}
		names[w.Name] = true
		has := make(map[drive.Metric]bool)
		for _, m := range w.Metrics {
			has[m] = true
		}
		for _, b := range w.Bars {
			if !has[b.Metric] {
				t.Errorf("the bar of %s is about %s", w.Name, b.Metric.Name)
			}
			if b.Workload != "" && (drive.Named(b.Workload) == nil || b.Against == "") {
				t.Errorf("the bar of %s is about %q of %q", w.Name, b.Workload, b.Against)
			}
		}
	}
}
