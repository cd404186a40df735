package cluster_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/ext/cluster"
)

func TestMemoryLogExpiresByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := cluster.NewMemoryBus()
		limits := cluster.LogLimits{Messages: 10, Age: time.Minute}
		for _, data := range []string{"a", "b", "c"} {
			if _, err := bus.Append(t.Context(), "log", limits, []byte(data)); err != nil {
				t.Fatal(err)
			}
			pass(25 * time.Second)
		}
		for e, err := range bus.Read(t.Context(), "log", limits, 0) {
			if err != nil || string(e.Data) != "b" || e.Gap {
				t.Errorf("the oldest is %q, gap %v, error %v", e.Data, e.Gap, err)
			}
			break
		}
	})
}

func TestSlowReaderOfALogGetsAGap(t *testing.T) {
	bus := cluster.NewMemoryBus()
	limits := cluster.LogLimits{Messages: 3}
	add := func(n int) {
		for i := range n {
			if _, err := bus.Append(t.Context(), "log", limits, []byte(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
	}
	add(1)
	n := 0
	for e, err := range bus.Read(t.Context(), "log", limits, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 1 {
			add(10)
			continue
		}
		if string(e.Data) != "7" || !e.Gap {
			t.Errorf("then %q, gap %v", e.Data, e.Gap)
		}
		break
	}
}

func TestLogThatIsMadeAgainTellsTheLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var limits cluster.LogLimits
		before, err := cluster.NewMemoryBus().Append(t.Context(), "log", limits, []byte("a"))
		if err != nil {
			t.Fatal(err)
		}
		pass(time.Millisecond)
		for e, err := range cluster.NewMemoryBus().Read(t.Context(), "log", limits, before) {
			if err != nil || !e.Gap || e.Data != nil {
				t.Errorf("got %+v, error %v", e, err)
			}
			break
		}
	})
}

func TestMemoryLogsAreBounded(t *testing.T) {
	bus := cluster.NewMemoryBus()
	var limits cluster.LogLimits
	for i := range 1<<14 + 1 {
		if _, err := bus.Append(t.Context(), fmt.Sprint("log.", i), limits, []byte("a")); err != nil {
			t.Fatal(err)
		}
	}
	for subject, want := range map[string]bool{"log.0": false, "log.1": true} {
		if last, err := bus.Last(t.Context(), subject, limits); err != nil || last > 0 != want {
			t.Errorf("Last of %s: %d, %v", subject, last, err)
		}
	}
}

func TestMemoryLogsAreBoundedInBytes(t *testing.T) {
	bus := cluster.NewMemoryBus()
	var limits cluster.LogLimits
	data := make([]byte, 32<<20)
	for i := range 9 {
		if _, err := bus.Append(t.Context(), fmt.Sprint("log.", i%3), limits, data); err != nil {
			t.Fatal(err)
		}
	}
	if last, err := bus.Last(t.Context(), "log.0", limits); last != 0 || err != nil {
		t.Errorf("Last of the log that goes: %d, %v", last, err)
	}
	if last, err := bus.Last(t.Context(), "log.1", limits); last == 0 || err != nil {
		t.Errorf("Last of a log that stays: %d, %v", last, err)
	}
}
