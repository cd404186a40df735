package path

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// testPump carries one direction between two ends in memory, in virtual time.
type testPump struct {
	sender, receiver net.Conn
	*pump
}

// testDelay is that of pumps.
const testDelay = 50 * ms

// pumps starts n pumps that share a direction, until the end of the test.
func pumps(t *testing.T, n int, rate Rate) []testPump {
	d := &direction{bottleneck: bottleneck{rate: rate, queue: DefaultQueue}, delay: testDelay}
	all := make([]testPump, n)
	var running sync.WaitGroup
	for i := range all {
		done := make(chan struct{})
		p := &pump{direction: d, start: time.Now(), done: done, queue: newDelayQueue(d.inFlight(testDelay))}
		all[i].pump = p
		all[i].sender, p.from = net.Pipe()
		p.to, all[i].receiver = net.Pipe()
		p.sever = sync.OnceFunc(func() {
			close(done)
			p.from.Close()
			p.to.Close()
		})
		running.Go(p.read)
		running.Go(p.write)
	}
	t.Cleanup(func() {
		for _, p := range all {
			p.sever()
		}
		running.Wait()
	})
	return all
}

// offer writes n bytes in the background, as fast as they are taken.
func (p testPump) offer(n int) { go func() { _, _ = p.sender.Write(make([]byte, n)) }() }

func (p testPump) take(t *testing.T, n int) {
	t.Helper()
	if _, err := io.ReadFull(p.receiver, make([]byte, n)); err != nil {
		t.Fatal(err)
	}
}

// near fails the test if d is not within a millisecond of what is wanted.
func near(t *testing.T, d, want time.Duration) {
	t.Helper()
	if d < want-ms || d > want+ms {
		t.Errorf("it took %v, want %v", d, want)
	}
}

func TestByteArrivesAfterTheDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pumps(t, 1, 0)[0]
		began := time.Now()
		p.offer(1)
		p.take(t, 1)
		if d := time.Since(began); d != testDelay {
			t.Errorf("it took %v", d)
		}
	})
}

func TestBytesArriveAtTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pumps(t, 1, 1e6)[0]
		began := time.Now()
		p.offer(1e6)
		p.take(t, 1)
		near(t, time.Since(began), testDelay+ms) // a chunk is sent before it arrives
		p.take(t, 1e6-1)
		near(t, time.Since(began), time.Second+testDelay)
	})
}

func TestFullQueueIsNotReadInto(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pumps(t, 1, 1e6)[0]
		p.offer(1e6)
		synctest.Wait()
		full := int64(1e6*DefaultQueue.Seconds()) + int64(p.chunk())
		if n := p.entered.Load(); n > full {
			t.Errorf("%d bytes have entered at once, want at most %d", n, full)
		}
		<-time.After(100 * ms)
		synctest.Wait()
		if n, most := p.entered.Load(), full+100_000; n > most || n < most-int64(2*p.chunk()) {
			t.Errorf("%d bytes have entered in 100 ms, want %d", n, most)
		}
	})
}

func TestReceiverThatDoesNotReadStopsTheSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pumps(t, 1, 1e6)[0]
		p.offer(10e6)
		<-time.After(5 * time.Second)
		synctest.Wait()
		if n, most := p.entered.Load(), int64(p.inFlight(testDelay)+p.chunk()*(batchSize+1)); n > most {
			t.Errorf("%d bytes are on their way, want at most %d", n, most)
		}
	})
}

func TestConnectionsShareTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var receiving sync.WaitGroup
		for _, p := range pumps(t, 2, 1e6) {
			p.offer(500_000)
			receiving.Go(func() {
				p.take(t, 500_000)
				if d := time.Since(began); d < time.Second+testDelay-DefaultQueue || d > time.Second+testDelay+ms {
					t.Errorf("it took %v: more or less than an equal share", d)
				}
			})
		}
		receiving.Wait()
		near(t, time.Since(began), time.Second+testDelay)
	})
}

func TestSmallMessageWaitsForTheQueueOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		both := pumps(t, 2, 1e6)
		both[0].offer(1e6)
		go func() { _, _ = io.Copy(io.Discard, both[0].receiver) }()
		<-time.After(300 * ms)
		began := time.Now()
		both[1].offer(100)
		both[1].take(t, 100)
		near(t, time.Since(began), testDelay+DefaultQueue)
	})
}

func TestEndArrivesAfterTheDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pumps(t, 1, 1e6)[0]
		began := time.Now()
		p.sender.Close()
		if _, err := p.receiver.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the error is %v", err)
		}
		near(t, time.Since(began), testDelay)
	})
}

func TestBytesOnTheirWayAreLostWithTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pumps(t, 1, 0)[0]
		p.offer(1000)
		<-time.After(20 * ms)
		p.sever()
		synctest.Wait()
		p.settle()
		if c := p.count(); c.Lost != 1000 || c.Delivered != 0 {
			t.Errorf("the count is %+v", c)
		}
	})
}
