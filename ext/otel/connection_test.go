package otelparley_test

import (
	"sync"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/rpc"
)

var (
	atClient  = attribute.String("parley.side", "client")
	atServer  = attribute.String("parley.side", "server")
	connected = attribute.String("parley.connection.state", "connected")
	detached  = attribute.String("parley.connection.state", "detached")
)

func TestConnectionsAndStreamsAreCountedAtBothEnds(t *testing.T) {
	l := newLab(t, setup{})
	sums, err := l.ping.CumSum(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer sums.Close()
	if err := sums.Send(&pingv1.CumSumRequest{Number: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := sums.Recv(); err != nil {
		t.Fatal(err)
	}
	<-l.begun
	<-l.begun
	for _, side := range []attribute.KeyValue{atClient, atServer} {
		if n := l.sum("parley.connection.count", side, connected); n != 1 {
			t.Errorf("%v: %d connections", side, n)
		}
		if n := l.sum("parley.connection.count", side, detached); n != 0 {
			t.Errorf("%v: %d connections are detached", side, n)
		}
		for _, direction := range []attribute.KeyValue{semconv.NetworkIODirectionTransmit, semconv.NetworkIODirectionReceive} {
			if n := l.sum("parley.io", side, direction); n == 0 {
				t.Errorf("%v: no bytes, %v", side, direction)
			}
		}
		for _, name := range []string{"parley.stream.waiting", "parley.queue.waiting"} {
			if n := l.sum(name, side); n != 0 {
				t.Errorf("%v: %s is %d", side, name, n)
			}
		}
		for _, state := range []string{"unsent", "unacknowledged"} { // these may exist at any time
			l.sum("parley.queue.size", side, attribute.String("parley.queue.state", state))
		}
	}
	local, remote := attribute.String("parley.stream.opener", "local"), attribute.String("parley.stream.opener", "remote")
	for side, opener := range map[attribute.KeyValue]attribute.KeyValue{atClient: local, atServer: remote} {
		if n := l.sum("parley.stream.count", side, opener); n != 1 {
			t.Errorf("%v: %d streams", side, n)
		}
	}
}

// visitor is another client of a lab's server, with a connection.
type visitor struct {
	*rpc.Client
	detached, back chan struct{}
	ended          chan error
	goOn           func() // events after OnDetached wait for it
}

func (l *lab) visit() *visitor {
	l.t.Helper()
	v := &visitor{detached: make(chan struct{}, 1), back: make(chan struct{}, 1), ended: make(chan error, 1)}
	begun, hold := make(chan struct{}, 1), make(chan struct{})
	v.goOn = sync.OnceFunc(func() { close(hold) })
	v.Client = rpc.NewClient("ws://"+l.host(), l.telemetry.ClientOption(),
		rpc.OnConnect(func(*rpc.Conn) { begun <- struct{}{} }),
		rpc.OnDetached(func(*rpc.Conn) { v.detached <- struct{}{}; <-hold }),
		rpc.OnResumed(func(*rpc.Conn) { v.back <- struct{}{} }),
		rpc.OnDisconnect(func(_ *rpc.Conn, err error) { v.ended <- err }))
	l.t.Cleanup(func() { v.goOn(); _ = v.Close() })
	if _, err := v.Connect(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
	<-begun
	return v
}

func TestBytesOfConnectionsThatHaveEndedStayCounted(t *testing.T) {
	l := newLab(t, setup{})
	v := l.visit()
	before := l.sum("parley.io", atClient, semconv.NetworkIODirectionTransmit)
	_ = v.Close()
	<-v.ended
	if after := l.sum("parley.io", atClient, semconv.NetworkIODirectionTransmit); after < before || before == 0 {
		t.Errorf("there were %d bytes, and %d afterwards", before, after)
	}
	if n := l.sum("parley.connection.count", atClient, connected); n != 0 {
		t.Errorf("%d connections", n)
	}
	if d := histogram[float64](l, "parley.connection.duration", atClient); d.Count != 1 {
		t.Errorf("%d connections have ended", d.Count)
	}
}

func TestLinksThatAreLostAndResumedAreCounted(t *testing.T) {
	l := newLab(t, setup{})
	v := l.visit()
	l.listener.cut()
	<-v.detached
	if n := l.sum("parley.connection.count", atClient, detached); n != 1 {
		t.Errorf("%d connections are detached", n)
	}
	v.goOn()
	<-v.back
	if n := l.sum("parley.link.losses", atClient); n != 1 {
		t.Errorf("%d losses", n)
	}
	if n := l.sum("parley.link.resumptions", atClient); n != 1 {
		t.Errorf("%d resumptions", n)
	}
	if n := l.sum("parley.connection.count", atClient, connected); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestReasonOfAnEndIsReportedUnlessClosed(t *testing.T) {
	l := newLab(t, setup{})
	v := l.visit()
	_ = l.srv.Close()
	<-v.ended
	if d := histogram[float64](l, "parley.connection.duration", atClient, semconv.ErrorTypeKey.String("UNAVAILABLE")); d.Count != 1 {
		t.Errorf("%d connections have ended so", d.Count)
	}
}

func TestCloseEndsTheObservationOfConnections(t *testing.T) {
	l := newLab(t, setup{})
	if err := l.telemetry.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.ping.Ping(t.Context(), new(pingv1.PingRequest)); err != nil {
		t.Fatal(err)
	}
	l.pair()
	all := l.collect()
	if _, there := all["parley.connection.count"]; there {
		t.Error("connections are still counted")
	}
	if _, there := all["rpc.client.call.duration"]; !there {
		t.Error("calls are not observed any more")
	}
}
