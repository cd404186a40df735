package rpc

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestOwnerWhoseSessionsAreEndedForRoomConnectsMoreSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c churn
		for range 25 {
			c.ended("mallory")
		}
		if d := c.delay("mallory"); d != 0 {
			t.Errorf("after 25 sessions, half a second of debt: delay %v", d)
		}
		for range 25 {
			c.ended("mallory")
		}
		for i := 1; i <= 3; i++ {
			if d, want := c.delay("mallory"), time.Duration(i)*20*time.Millisecond; d != want {
				t.Errorf("handshake %d: delay %v, want %v", i, d, want)
			}
		}
		if d := c.delay("alice"); d != 0 {
			t.Errorf("another owner: delay %v", d)
		}
	})
}

func TestOwnerThatLosesManySessionsOnceIsSlowedForASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c churn
		for range 10_000 {
			c.ended("everybody")
		}
		if c.delay("everybody") == 0 {
			t.Error("no delay after 10,000 sessions")
		}
		<-time.After(time.Second)
		if d := c.delay("everybody"); d != 0 {
			t.Errorf("delay %v a second later", d)
		}
	})
}

func TestHandshakeThatWouldWaitTooLongTakesNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c churn
		for range 100 {
			c.ended("mallory")
		}
		for range 50 {
			c.delay("mallory")
		}
		for range 3 {
			if d := c.delay("mallory"); d != maxQueueWait+churnCost {
				t.Errorf("delay %v, want %v", d, maxQueueWait+churnCost)
			}
		}
	})
}

func TestChurnRemembersABoundedNumberOfOwners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c churn
		for i := range 3 * churnNames {
			c.ended(fmt.Sprint(i))
		}
		if len(c.owners) != churnNames {
			t.Errorf("%d owners are remembered, want %d", len(c.owners), churnNames)
		}
		<-time.After(churnCost)
		c.ended("one more")
		if len(c.owners) != 1 {
			t.Errorf("%d owners are remembered after the others paid, want 1", len(c.owners))
		}
	})
}
