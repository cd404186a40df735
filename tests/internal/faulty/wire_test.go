package faulty

import (
	"testing"
	"time"
)

func TestBytesWaitForTheirTurnAndArriveAfterTheDelay(t *testing.T) {
	const ms = time.Millisecond
	b := bottleneck{Path: Path{Delay: 25 * ms, Rate: 1000}}
	start := time.Now()
	for i, c := range []struct {
		sent, arrives time.Duration
	}{
		{0, 125 * ms},
		{0, 225 * ms},        // behind the first
		{150 * ms, 325 * ms}, // behind the second
		{900 * ms, 1025 * ms},
	} {
		if got := b.pass(start.Add(c.sent), 100).Sub(start); got != c.arrives {
			t.Errorf("%d: 100 bytes arrive after %v, want %v", i, got, c.arrives)
		}
	}
	unlimited := bottleneck{Path: Path{Delay: 25 * ms}}
	if got := unlimited.pass(start, 1<<30).Sub(start); got != 25*ms {
		t.Errorf("without a rate, bytes arrive after %v", got)
	}
}
