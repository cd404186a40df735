package rpc

import (
	"testing"
	"time"
)

func TestHandshakesTakeTurns(t *testing.T) {
	var p pace
	now := time.Unix(1000, 0)
	const rate, interval = 100, 10 * time.Millisecond
	turn := func(want time.Duration, wantOK bool) {
		t.Helper()
		if wait, ok := p.turn(now, rate, 50*time.Millisecond); wait != want || ok != wantOK {
			t.Errorf("wait %v, %v; want %v, %v", wait, ok, want, wantOK)
		}
	}
	for range 3 { // what may come at once
		turn(0, true)
	}
	for i := range 5 {
		turn(time.Duration(i+1)*interval, true)
	}
	turn(0, false)
	turn(0, false) // has taken no turn
	now = now.Add(interval)
	turn(5*interval, true)
	now = now.Add(time.Hour)
	turn(0, true)
}
