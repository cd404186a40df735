package transport

import "testing"

func TestBytesKeptBeyondReplayLimitComeOutOfOneBudget(t *testing.T) {
	cfg := Config{Parameters: Parameters{ReplayLimit: replayStep, MaxReplay: 4 * replayStep, ReplayBudget: NewBudget(replayStep)}}
	first, second := newReplay(&cfg, true), newReplay(&cfg, true)
	first.size, second.size = replayStep, replayStep
	if !first.fits(0, replayStep) || first.fits(0, replayStep+1) {
		t.Error("with a path that is not known, twice ReplayLimit may be in flight, and no more")
	}
	if second.fits(0, 1) {
		t.Error("the second session has what the budget has not")
	}
	if second.size = 0; !second.fits(1, replayStep-1) {
		t.Error("the second session does not have its own ReplayLimit")
	}
	first.clear()
	if second.size = replayStep; !second.fits(0, 1) {
		t.Error("the first session has returned nothing")
	}
}
