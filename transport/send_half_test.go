package transport

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestCreditThatComesWhileTheSenderTurnsToWaitIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for i := range 20_000 {
			var h sendHalf
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			go h.raise(1000)
			if _, err := h.piece(ctx, 10, 100); err != nil {
				t.Fatalf("attempt %d: credit was there, and the sender waited: %v", i, err)
			}
			cancel()
		}
	})
}

func TestFailureThatComesWhileTheSenderTurnsToWaitIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		for i := range 20_000 {
			var h sendHalf
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			go h.fail(broken)
			if _, err := h.piece(ctx, 10, 100); !errors.Is(err, broken) {
				t.Fatalf("attempt %d: %v", i, err)
			}
			cancel()
		}
	})
}
