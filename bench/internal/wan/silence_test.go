package wan

import (
	"testing"
	"time"

	"github.com/parley-rpc/parley/bench/internal/drive"
)

func TestSilenceIsTheLongestGap(t *testing.T) {
	start := time.Unix(0, 0)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	s := new(silence)
	for _, ms := range []int{0, 500, 501} { // before
		s.end(at(ms))
	}
	s.begin(at(510))
	for _, ms := range []int{511, 512, 800, 900, 901} {
		s.end(at(ms))
	}
	if got := s.over(); !got.Equal(at(800)) {
		t.Errorf("it was over at %v", got.Sub(start))
	}
}

func TestSharesAreRelativeToAnEqualOne(t *testing.T) {
	f := make(drive.Figures)
	shares(f, []int64{100, 100, 100, 100}, []int64{150, 200, 200, 250})
	if f[LeastShare.Name] != 0.5 || f[MostShare.Name] != 1.5 {
		t.Errorf("the shares are %v", f)
	}
}
