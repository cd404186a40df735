package rpc

import (
	"context"
	"errors"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// WithMaxConnectionAge makes the server drain connections of that age, plus or
// minus a tenth, so that clients spread over all servers again. Clients move to
// another connection, and no call fails because of it. Calls in flight may go
// on for the grace time, and Draining tells handlers; then they fail with
// CodeUnavailable. NewServer panics unless age is positive and grace is not
// negative.
func WithMaxConnectionAge(age, grace time.Duration) ServerOption {
	return serverOption(func(s *Server) { s.maxAge = &maxConnectionAge{age, grace} })
}

type maxConnectionAge struct{ age, grace time.Duration }

func (a *maxConnectionAge) validate() error {
	if a != nil && (a.age <= 0 || a.grace < 0) {
		return errors.New("WithMaxConnectionAge: the age must be positive, and the grace must not be negative")
	}
	return nil
}

// startAgeTimer makes the connection end at its maximum age; life.mu is held.
func (c *Conn) startAgeTimer(a *maxConnectionAge) {
	if a == nil {
		return
	}
	tenth := a.age / 10
	c.life.ageTimer = time.AfterFunc(a.age-tenth+randUpTo(2*tenth), func() {
		c.started.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), a.grace)
		defer cancel()
		bye := drainPlan{grace: graceWithin(ctx), code: transport.CloseGoingAway, reason: "the connection has reached its maximum age"}
		if c.drain(ctx, bye) != nil {
			_ = c.sess.Close(bye.code, bye.reason)
		}
	})
}

// stopAgeTimer undoes startAgeTimer; life.mu is held.
func (c *Conn) stopAgeTimer() {
	if c.life.ageTimer != nil {
		c.life.ageTimer.Stop()
	}
}
