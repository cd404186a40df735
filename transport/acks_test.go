package transport

import (
	"testing"
	"time"
)

func TestAcksAreSentByBytesOrByTime(t *testing.T) {
	var a acks
	for i, c := range []struct {
		bytes       int
		replayLimit uint64
		want        ackAction
	}{
		{100, 1 << 20, ackLater},
		{100, 1 << 20, ackNothing}, // the timer is armed
		{soonBytes - 201, 1 << 20, ackNothing},
		{soonBytes, 1 << 20, ackSooner},     // the timer is to fire earlier
		{ackBytes / 2, 1 << 20, ackNothing}, // it is armed for that
		{ackBytes / 2, 1 << 20, ackNow},
		{ackBytes - 1, 1 << 20, ackNothing}, // the count has restarted at 0
		{1, 1 << 20, ackNow},
		{16 << 10, 64 << 10, ackNow}, // a quarter of the peer's replay limit
	} {
		if got := a.add(1, c.bytes, c.replayLimit); got != c.want {
			t.Errorf("step %d: action %d, want %d", i, got, c.want)
		}
	}
	a.fired()
	if got := a.add(1, 1, 1<<20); got != ackLater {
		t.Errorf("after the timer has fired: action %d", got)
	}
	if got := a.received.Load(); got != 10 {
		t.Errorf("%d frames are counted", got)
	}
}

func TestNumberIsAcknowledgedOnce(t *testing.T) {
	var a acks
	o := newTestOutbox(1000)
	a.add(3, 10, 1<<20)
	for range 2 {
		if err := a.send(o); err != nil {
			t.Fatal(err)
		}
	}
	parts, err := o.yieldAndTake(noWriter)
	if err != nil || len(parts) != 1 || len(parts[0]) != 4 {
		t.Errorf("queued %x, %v", parts, err)
	}
}

func TestStoppedAcksArmNoTimer(t *testing.T) {
	var a acks
	made := 0
	newTimer := func(time.Duration) *time.Timer { made++; return time.NewTimer(time.Hour) }
	a.arm(ackLater, newTimer)
	a.arm(ackLater, newTimer)
	a.releaseIdle()
	a.arm(ackLater, newTimer)
	a.stop()
	a.releaseIdle()
	a.arm(ackLater, newTimer)
	if made != 2 {
		t.Errorf("%d timers", made)
	}
}

func TestFramesThatTheTimerHasAcknowledgedDoNotHastenTheNext(t *testing.T) {
	var a acks
	if got := a.add(1, soonBytes, 1<<20); got != ackSooner {
		t.Fatalf("action %d", got)
	}
	a.fired()
	if got := a.add(1, 100, 1<<20); got != ackLater {
		t.Errorf("a small frame after the timer has fired: action %d, want %d", got, ackLater)
	}
}
