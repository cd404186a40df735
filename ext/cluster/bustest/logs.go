package bustest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/parley-rpc/parley/ext/cluster"
)

// testLogs checks a bus that is a cluster.LogBus.
func testLogs(t *testing.T, newBus func(t *testing.T) Ends) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, bus, peer cluster.LogBus)
	}{
		{"ALogIsReadFromItsOldestEntry", testALogIsReadFromItsOldestEntry},
		{"AReaderContinuesAfterItsNumber", testAReaderContinuesAfterItsNumber},
		{"AReaderGetsWhatIsAppended", testAReaderGetsWhatIsAppended},
		{"EntriesBeyondTheLimitAreAGap", testEntriesBeyondTheLimitAreAGap},
		{"AGapIsToldWithoutAnEntry", testAGapIsToldWithoutAnEntry},
		{"ANumberAboveTheNewestIsAGap", testANumberAboveTheNewestIsAGap},
		{"LastIsTheNewestNumber", testLastIsTheNewestNumber},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newBus(t)
			bus, ok := e.Bus.(cluster.LogBus)
			peer, _ := e.Peer.(cluster.LogBus)
			if ok {
				c.test(t, bus, peer)
			}
		})
	}
}

var limits = cluster.LogLimits{Messages: 10, Age: time.Minute}

// appendAll appends entries to the log "log".
func appendAll(t *testing.T, bus cluster.LogBus, l cluster.LogLimits, entries ...string) (numbers []uint64) {
	t.Helper()
	last := uint64(0)
	for _, data := range entries {
		b := []byte(data)
		number, err := bus.Append(within(t), "log", l, b)
		if err != nil {
			t.Fatal(err)
		}
		if clear(b); number <= last {
			t.Fatalf("number %d after %d", number, last)
		}
		last = number
		numbers = append(numbers, number)
	}
	return numbers
}

// read checks the next entries of the log "log".
func read(t *testing.T, bus cluster.LogBus, l cluster.LogLimits, after uint64, want ...string) {
	t.Helper()
	i := 0
	for e, err := range bus.Read(within(t), "log", l, after) {
		if err != nil {
			t.Fatalf("after %d entries: %v", i, err)
		}
		got := string(e.Data)
		if e.Data == nil {
			got = "none"
		}
		if e.Gap {
			got = "gap, " + got
		}
		if got != want[i] {
			t.Errorf("entry %d is %q, want %q", i, got, want[i])
		}
		if i++; i == len(want) {
			break
		}
	}
}

func testALogIsReadFromItsOldestEntry(t *testing.T, bus, peer cluster.LogBus) {
	appendAll(t, bus, limits, "a", "b", "c")
	read(t, bus, limits, 0, "a", "b", "c")
	read(t, peer, limits, 0, "a", "b", "c")
}

func testAReaderContinuesAfterItsNumber(t *testing.T, bus, peer cluster.LogBus) {
	numbers := appendAll(t, bus, limits, "a", "b", "c", "d")
	read(t, peer, limits, numbers[0], "b", "c", "d")
	read(t, peer, limits, numbers[2], "d")
}

func testAReaderGetsWhatIsAppended(t *testing.T, bus, peer cluster.LogBus) {
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	got := make(chan string, 100)
	end := make(chan error, 1)
	go func() {
		for e, err := range peer.Read(ctx, "log", limits, 0) {
			if err != nil {
				end <- err
				return
			}
			got <- string(e.Data)
		}
		end <- nil
	}()
	for i := range 5 {
		want := fmt.Sprint(i)
		appendAll(t, bus, limits, want)
		if s := receive(t, got); s != want {
			t.Errorf("got %q, want %q", s, want)
		}
	}
	cancel()
	if err := receive(t, end); !errors.Is(err, context.Canceled) {
		t.Errorf("the last item is %v", err)
	}
}

func testEntriesBeyondTheLimitAreAGap(t *testing.T, bus, _ cluster.LogBus) {
	var all []string
	for i := range 15 {
		all = append(all, fmt.Sprint(i))
	}
	numbers := appendAll(t, bus, limits, all...)
	read(t, bus, limits, 0, all[5:]...)
	read(t, bus, limits, numbers[1], "gap, 5", "6")
	read(t, bus, limits, numbers[4], "5", "6")
}

func testAGapIsToldWithoutAnEntry(t *testing.T, bus, _ cluster.LogBus) {
	short := cluster.LogLimits{Messages: 10, Age: 200 * time.Millisecond}
	numbers := appendAll(t, bus, short, "a", "b")
	for deadline := time.Now().Add(limit); ; {
		left := 0
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		for _, err := range bus.Read(ctx, "log", short, 0) {
			if err == nil {
				left++
			}
		}
		if cancel(); left == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("entries do not expire")
		}
	}
	read(t, bus, short, numbers[0], "gap, none")
}

func testANumberAboveTheNewestIsAGap(t *testing.T, bus, _ cluster.LogBus) {
	numbers := appendAll(t, bus, limits, "a", "b")
	read(t, bus, limits, numbers[1]+1000, "gap, a", "b")
}

func testLastIsTheNewestNumber(t *testing.T, bus, peer cluster.LogBus) {
	if n, err := bus.Last(within(t), "log", limits); n != 0 || err != nil {
		t.Errorf("Last of a new log: %d, %v", n, err)
	}
	numbers := appendAll(t, bus, limits, "a", "b")
	for _, b := range []cluster.LogBus{bus, peer} {
		if n, err := b.Last(within(t), "log", limits); n != numbers[1] || err != nil {
			t.Errorf("Last: %d, %v; want %d", n, err, numbers[1])
		}
	}
}
