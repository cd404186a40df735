package transport

import "testing"

func TestReplayRoomTakesFromTheBudgetAndGivesItBack(t *testing.T) {
	b := NewBudget(4 * replayStep)
	r := replayRoom{own: 64 << 10, shared: b}
	if !r.reserve(64<<10) || b.Left() != 4*replayStep {
		t.Errorf("%d bytes are left, though the room of its own is enough", b.Left())
	}
	if !r.reserve(64<<10+1) || b.Left() != 3*replayStep || r.size() != 64<<10+replayStep {
		t.Errorf("a room of %d bytes, %d are left", r.size(), b.Left())
	}
	if !r.reserve(64<<10+4*replayStep) || b.Left() != 0 {
		t.Errorf("%d bytes are left, want none", b.Left())
	}
	if r.reserve(64<<10+4*replayStep+1) || r.size() != 64<<10+4*replayStep {
		t.Errorf("a room of %d bytes is more than the budget allows", r.size())
	}
	r.giveBack(64<<10 + replayStep)
	if b.Left() != replayStep {
		t.Errorf("%d bytes are left after one of four steps is not needed", b.Left())
	}
	r.giveBack(0)
	if b.Left() != 4*replayStep || r.extra != 0 {
		t.Errorf("%d bytes are left at rest, %d are held", b.Left(), r.extra)
	}
}

func TestSecondReplayRoomGetsOnlyWhatIsLeftOfTheBudget(t *testing.T) {
	b := NewBudget(replayStep)
	first, second := replayRoom{own: 1000, shared: b}, replayRoom{own: 1000, shared: b}
	if !first.reserve(1001) || second.reserve(1001) {
		t.Error("the budget is one step, which is for the first")
	}
	if !second.reserve(1000) {
		t.Error("the room of its own depends on the budget")
	}
	if first.giveBack(0); !second.reserve(1001) {
		t.Error("what the first has given back is not to be had")
	}
}
