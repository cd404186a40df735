package natstest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/parley-rpc/parley/ext/cluster"
	"github.com/parley-rpc/parley/ext/cluster/natsbus"
)

var logLimits = cluster.LogLimits{Messages: 10, Age: time.Minute}

func appendTo(t *testing.T, bus *natsbus.Bus, limits cluster.LogLimits, data string) (number uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	number, err := bus.Append(ctx, "log", limits, []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return number
}

// item is what a Read ranges over.
type item struct {
	entry cluster.LogEntry
	err   error
}

// read reads the log until the test ends.
func read(t *testing.T, bus *natsbus.Bus, limits cluster.LogLimits, after uint64) <-chan item {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	items, done := make(chan item, 100), make(chan struct{})
	t.Cleanup(func() {
		cancel()
		<-done
	})
	go func() {
		defer close(done)
		for e, err := range bus.Read(ctx, "log", limits, after) {
			items <- item{e, err}
		}
	}()
	return items
}

// expect checks the next entry, "gap, " before its data if there is a gap.
func expect(t *testing.T, items <-chan item, want string) {
	t.Helper()
	i := receive(t, items)
	got := string(i.entry.Data)
	if i.entry.Gap {
		got = "gap, " + got
	}
	if i.err != nil || got != want {
		t.Errorf("got %q, error %v; want %q", got, i.err, want)
	}
}

func TestReaderEndsWithTheServerAndContinues(t *testing.T) {
	s := newServer(t)
	bus := s.newBus()
	changes := make(chan cluster.BusChange, 100)
	defer bus.OnChange(func(c cluster.BusChange) { changes <- c })()
	a := appendTo(t, bus, logLimits, "a")
	items := read(t, bus, logLimits, 0)
	expect(t, items, "a")
	s.kill()
	if i := receive(t, items); !errors.Is(i.err, cluster.ErrBusUnavailable) {
		t.Errorf("the last item is %+v", i)
	}
	receive(t, changes)
	if _, err := bus.Append(t.Context(), "log", logLimits, nil); !errors.Is(err, cluster.ErrBusUnavailable) {
		t.Errorf("Append: %v", err)
	}
	if _, err := bus.Last(t.Context(), "log", logLimits); !errors.Is(err, cluster.ErrBusUnavailable) {
		t.Errorf("Last: %v", err)
	}
	s.start()
	receive(t, changes)
	appendTo(t, bus, logLimits, "b")
	items = read(t, bus, logLimits, a)
	expect(t, items, "b")
	appendTo(t, bus, logLimits, "")
	expect(t, items, "")
}

func TestLogThatIsLostIsAGap(t *testing.T) {
	s := newServer(t)
	bus := s.newBus()
	changes := make(chan cluster.BusChange, 100)
	defer bus.OnChange(func(c cluster.BusChange) { changes <- c })()
	a := appendTo(t, bus, logLimits, "a")
	s.kill()
	receive(t, changes)
	s.options.StoreDir = t.TempDir()
	s.start()
	receive(t, changes)
	items := read(t, bus, logLimits, a)
	expect(t, items, "gap, ")
	if b := appendTo(t, bus, logLimits, "b"); b <= a {
		t.Errorf("number %d after %d", b, a)
	}
	expect(t, items, "b")
}

func TestLogKeepsItsFirstLimits(t *testing.T) {
	bus := newServer(t).newBus(natsbus.WithMemoryStorage())
	small := cluster.LogLimits{Messages: 2, Age: time.Minute}
	for _, data := range []string{"a", "b", "c", "d"} {
		appendTo(t, bus, small, data)
		small = logLimits
	}
	items := read(t, bus, logLimits, 0)
	expect(t, items, "c")
	expect(t, items, "d")
}

func TestSlowReaderIsToldOfEntriesThatAreGone(t *testing.T) {
	bus := newServer(t).newBus(natsbus.WithMemoryStorage())
	short := cluster.LogLimits{Messages: 1000, Age: 3 * time.Second} // all are still there when the first is read
	for range 400 {                                                  // more than the server sends ahead
		appendTo(t, bus, short, "x")
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	n := 0
	for e, err := range bus.Read(ctx, "log", short, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Gap {
			if e.Data != nil {
				t.Errorf("after %d entries: %+v", n, e)
			}
			return
		}
		if n++; n == 1 {
			<-time.After(4 * time.Second) // all entries expire
		}
	}
}

func TestReaderLeavesNothingAtTheServer(t *testing.T) {
	s := newServer(t)
	bus := s.newBus()
	appendTo(t, bus, logLimits, "a")
	for _, err := range bus.Read(t.Context(), "log", logLimits, 0) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	info, err := s.server.Jsz(&server.JSzOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if info.Consumers != 0 || info.Streams != 1 {
		t.Errorf("%d consumers, %d streams", info.Consumers, info.Streams)
	}
}
