package transport

import (
	"strings"
	"testing"
	"time"
)

func newTestLiveness() *liveness {
	return &liveness{interval: 4 * time.Second, pongTimeout: 1500 * time.Millisecond, writeTimeout: 3 * time.Second}
}

func TestSilentLinkIsPingedAndThenLost(t *testing.T) {
	l := newTestLiveness()
	now := time.Unix(0, 0)
	received := uint64(1)
	var r checkResult
	check := func() {
		r = l.check(now, received, 0)
		now = now.Add(r.next)
	}
	if check(); r.quiet || r.ping {
		t.Fatalf("bytes have arrived: %+v", r)
	}
	for i := range 2 {
		if check(); !r.quiet || r.ping || r.next != time.Second {
			t.Fatalf("quiet check %d: %+v", i, r)
		}
	}
	if check(); !r.ping || r.next != time.Second {
		t.Fatalf("third quiet check: %+v", r)
	}
	if check(); r.ping || r.lost != nil || r.next != 500*time.Millisecond {
		t.Fatalf("1 s after the PING: %+v", r)
	}
	if check(); r.lost == nil || !strings.Contains(r.lost.Reason, "no PONG") {
		t.Fatalf("1.5 s after the PING: %+v", r)
	}
	received++
	if check(); r.lost != nil || r.quiet {
		t.Fatalf("bytes have arrived again: %+v", r)
	}
}

func TestWriteThatTakesTooLongLosesTheLink(t *testing.T) {
	l := newTestLiveness()
	now := time.Unix(0, 0)
	for i := range 3 {
		if r := l.check(now.Add(time.Duration(i)*time.Second), uint64(i+1), 7); r.lost != nil {
			t.Fatalf("after %d s: %v", i, r.lost)
		}
	}
	if r := l.check(now.Add(2900*time.Millisecond), 4, 8); r.lost != nil {
		t.Fatalf("another write: %v", r.lost)
	}
	if r := l.check(now.Add(5900*time.Millisecond), 5, 8); r.lost == nil {
		t.Fatal("a write of 3 s loses no link")
	}
}
