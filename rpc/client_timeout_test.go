package rpc

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// inTimeout runs a test with a context that has a second, and its parent.
func inTimeout(t *testing.T, f func(t *testing.T, c *timeoutContext, cancelParent func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		parent, cancel := context.WithCancel(context.WithValue(t.Context(), callKey{}, "value"))
		defer cancel()
		c := new(timeoutContext)
		if c.start(parent, time.Second) != context.Context(c) {
			t.Fatal("the parent has no deadline")
		}
		defer c.end()
		f(t, c, cancel)
	})
}

func TestATimeoutContextEndsAtItsDeadline(t *testing.T) {
	inTimeout(t, func(t *testing.T, c *timeoutContext, _ func()) {
		deadline, ok := c.Deadline()
		if left := time.Until(deadline); !ok || left != time.Second || c.Err() != nil || c.Value(callKey{}) != "value" {
			t.Fatalf("%v left, %v, %v", left, c.Err(), c.Value(callKey{}))
		}
		<-time.After(time.Second)
		if !errors.Is(c.Err(), context.DeadlineExceeded) {
			t.Errorf("without Done: %v", c.Err())
		}
		<-c.Done()
		if c.end(); !errors.Is(c.Err(), context.DeadlineExceeded) || c.Value(callKey{}) != "value" {
			t.Errorf("%v, %v", c.Err(), c.Value(callKey{}))
		}
	})
}

func TestWhatWaitsForATimeoutContextEndsWithIt(t *testing.T) {
	inTimeout(t, func(t *testing.T, c *timeoutContext, _ func()) {
		derived, cancel := context.WithCancel(c)
		defer cancel()
		begin := time.Now()
		<-derived.Done()
		if took := time.Since(begin); took != time.Second || !errors.Is(derived.Err(), context.DeadlineExceeded) {
			t.Errorf("after %v: %v", took, derived.Err())
		}
	})
}

func TestATimeoutContextEndsWithItsParent(t *testing.T) {
	for _, waits := range []bool{false, true} {
		inTimeout(t, func(t *testing.T, c *timeoutContext, cancelParent func()) {
			if waits {
				c.Done()
			}
			cancelParent()
			if !errors.Is(c.Err(), context.Canceled) {
				t.Errorf("%v", c.Err())
			}
			<-c.Done()
		})
	}
}

func TestATimeoutContextEndsWithItsCall(t *testing.T) {
	for _, waits := range []bool{false, true} {
		inTimeout(t, func(t *testing.T, c *timeoutContext, _ func()) {
			if waits {
				c.Done()
			}
			c.end()
			<-c.Done()
			if !errors.Is(c.Err(), context.Canceled) {
				t.Errorf("%v", c.Err())
			}
		})
	}
}

func TestAnEarlierDeadlineNeedsNoTimeout(t *testing.T) {
	parent, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if c := new(timeoutContext); c.start(parent, time.Minute) != parent || c.Context != nil {
		t.Error("it is not the parent")
	}
}
