package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(serveVariable) != "" {
		main() // is the server
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// TestServerThatTakesMoreThanItsBoundFails: each attack works, and the memory
// that it makes the server use is compared with the bound.
func TestServerThatTakesMoreThanItsBoundFails(t *testing.T) {
	set := newSettings(2)
	for _, r := range rows {
		r.bound = func(*settings, int64) int64 { return 1 }
		err := r.measure(t.Output(), &set, []row{r}, 100*time.Millisecond)
		if err == nil || !strings.Contains(err.Error(), r.name+": ") || !strings.Contains(err.Error(), "more than the bound") {
			t.Errorf("%s: got %v", r.name, err)
		}
	}
}

func TestBoundOfAllAtOnceIsNoLessThanThatOfEach(t *testing.T) {
	set := newSettings(36)
	for _, r := range rows {
		if one, all := r.bound(&set, 36), together.bound(&set, 36); one <= 0 || one > all {
			t.Errorf("%s: %s, all at once %s", r.name, mebibytes(one), mebibytes(all))
		}
	}
}

func TestTooFewConnectionsForAllAttacksAreRefused(t *testing.T) {
	if err := run(t.Output(), 3, time.Second); err == nil || !strings.Contains(err.Error(), "-connections 3") {
		t.Errorf("got %v", err)
	}
}
