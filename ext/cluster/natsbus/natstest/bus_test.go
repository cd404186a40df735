package natstest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/parley-rpc/parley/ext/cluster"
	"github.com/parley-rpc/parley/ext/cluster/bustest"
	"github.com/parley-rpc/parley/ext/cluster/natsbus"
)

func TestBusKeepsTheContract(t *testing.T) {
	bustest.Test(t, func(t *testing.T) bustest.Ends {
		s := newServer(t)
		return bustest.Ends{Bus: s.newBus(), Peer: s.newBus(), SetAvailable: func(available bool) {
			if available {
				s.start()
			} else {
				s.kill()
			}
		}}
	})
}

func TestServerIsAwayForASecond(t *testing.T) {
	s := newServer(t)
	bus := s.newBus()
	got := make(chan string, 100)
	sub, err := bus.Subscribe("a", func(m cluster.BusMessage) { got <- string(m.Data) })
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	changes := make(chan cluster.BusChange, 100)
	defer bus.OnChange(func(c cluster.BusChange) { changes <- c })()

	pending := make(chan error, 1) // of a request that nothing answers
	go func() {
		for _, err := range bus.Request(t.Context(), "a", nil) {
			pending <- err
		}
	}()
	receive(t, got)
	s.kill()
	if c := receive(t, changes); c.Available || bus.Available() {
		t.Errorf("the server is killed: %+v, Available %v", c, bus.Available())
	}
	if err := receive(t, pending); !errors.Is(err, cluster.ErrBusUnavailable) {
		t.Errorf("the request that waits: %v", err)
	}
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		start := time.Now()
		if err := bus.Publish("a", []byte("lost")); !errors.Is(err, cluster.ErrBusUnavailable) {
			t.Fatalf("Publish: %v", err)
		}
		for _, err := range bus.Request(t.Context(), "a", nil) {
			if !errors.Is(err, cluster.ErrBusUnavailable) {
				t.Fatalf("Request: %v", err)
			}
		}
		if took := time.Since(start); took > 500*time.Millisecond {
			t.Fatalf("it took %v to fail", took)
		}
		late, err := bus.Subscribe("b", func(cluster.BusMessage) {})
		if err != nil {
			t.Fatal(err)
		}
		if err := late.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s.start()
	if c := receive(t, changes); !c.Available || !c.Lost || !bus.Available() {
		t.Errorf("the server is started: %+v, Available %v", c, bus.Available())
	}
	if err := bus.Publish("a", []byte("again")); err != nil {
		t.Fatal(err)
	}
	if data := receive(t, got); data != "again" {
		t.Errorf("got %q", data)
	}
}

func TestLossOfASlowSubscriberIsTold(t *testing.T) {
	s := newServer(t)
	bus, peer := s.newBus(natsbus.WithQueue(100)), s.newBus()
	changes := make(chan cluster.BusChange, 100)
	defer bus.OnChange(func(c cluster.BusChange) { changes <- c })()
	resume, received := make(chan struct{}), make(chan string, 1000)
	subscribe := func(b cluster.Bus, subject string, receive func(cluster.BusMessage)) {
		sub, err := b.Subscribe(subject, receive)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = sub.Close() })
	}
	subscribe(bus, "a", func(m cluster.BusMessage) {
		received <- string(m.Data)
		<-resume
	})
	publish := func(n int) {
		for range n {
			if err := peer.Publish("a", []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		subscribe(peer, "b", func(cluster.BusMessage) {}) // all of it is at the server now
		subscribe(bus, "b", func(cluster.BusMessage) {})  // and on bus
	}
	told := func() {
		if c := receive(t, changes); !c.Lost || !c.Available || !slices.Equal(c.LostSubjects, []string{"a"}) {
			t.Errorf("told %+v", c) // "b" has lost nothing
		}
	}
	publish(1)
	receive(t, received) // the subscriber is busy
	publish(1000)
	resume <- struct{}{}
	told()       // with the next message
	publish(100) // while it is busy with that
	close(resume)
	told() // when half of the queue is free
	if n := len(received); n < 50 || n > 500 {
		t.Errorf("%d of 1100 messages were received", n)
	}
}

func TestRequestWithoutSubscribersFailsAtOnce(t *testing.T) {
	bus := newServer(t).newBus()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	start := time.Now()
	for _, err := range bus.Request(ctx, "nobody", nil) {
		if !errors.Is(err, cluster.ErrNoSubscribers) {
			t.Error(err)
		}
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestBusEndsWithItsConnection(t *testing.T) {
	s := newServer(t)
	nc := s.connect()
	bus := natsbus.New(nc)
	sub, err := bus.Subscribe("a", func(cluster.BusMessage) {})
	if err != nil {
		t.Fatal(err)
	}
	changes := make(chan cluster.BusChange, 100)
	defer bus.OnChange(func(c cluster.BusChange) { changes <- c })()
	nc.Close()
	if c := receive(t, changes); c.Available {
		t.Errorf("told %+v", c)
	}
	if err := bus.Publish("a", nil); !errors.Is(err, cluster.ErrBusUnavailable) {
		t.Errorf("Publish: %v", err)
	}
	if err := sub.Close(); err != nil {
		t.Error(err)
	}
}

func TestClosedBusReceivesNothing(t *testing.T) {
	s := newServer(t)
	nc := s.connect()
	bus := natsbus.New(nc)
	if _, err := bus.Subscribe("a", func(cluster.BusMessage) {}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := bus.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := nc.NumSubscriptions(); n != 0 || nc.IsClosed() {
		t.Errorf("%d subscriptions are left, closed %v", n, nc.IsClosed())
	}
}

func TestConnectionsThatDoNotSuitAreRefused(t *testing.T) {
	s := newServer(t)
	for name, bus := range map[string]*natsbus.Bus{
		"nil":       natsbus.New(nil),
		"no echo":   natsbus.New(s.connect(nats.NoEcho())),
		"WithQueue": natsbus.New(s.connect(), natsbus.WithQueue(0)),
		"replicas":  natsbus.New(s.connect(), natsbus.WithReplicas(6)),
	} {
		if err := bus.Publish("a", nil); err == nil || errors.Is(err, cluster.ErrBusUnavailable) {
			t.Errorf("%s: Publish: %v", name, err)
		}
		if _, err := bus.Subscribe("a", nil); err == nil || bus.Available() {
			t.Errorf("%s: Subscribe: %v, Available %v", name, err, bus.Available())
		}
		if err := bus.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHandlersOfTheConnectionStay(t *testing.T) {
	s := newServer(t)
	told := make(chan struct{}, 100)
	bus := natsbus.New(s.connect(nats.DisconnectErrHandler(func(*nats.Conn, error) { told <- struct{}{} })))
	defer bus.Close()
	s.kill()
	receive(t, told)
	s.start()
}

func TestSubscriptionHasNoGoroutine(t *testing.T) {
	s := newServer(t)
	bus := s.newBus()
	before := runtime.NumGoroutine()
	for i := range 1000 {
		sub, err := bus.Subscribe(fmt.Sprint("client.", i), func(cluster.BusMessage) {})
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
	}
	if n := runtime.NumGoroutine(); n > before+10 {
		t.Errorf("%d goroutines more", n-before)
	}
}
