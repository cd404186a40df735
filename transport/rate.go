package transport

import (
	"fmt"
	"time"
)

// ratePeriod is over which time rates are averages.
const ratePeriod = 10 * time.Second

// rate counts events against a bound per second: more than that on average over
// ratePeriod is too much, whatever comes at once. It is a bucket that holds the
// events of one period and leaks.
type rate struct {
	level float64 // events
	at    time.Time
}

// allow books an event, and tells whether it is within perSecond.
func (r *rate) allow(now time.Time, perSecond int) bool {
	most := float64(perSecond) * ratePeriod.Seconds()
	leaked := now.Sub(r.at).Seconds() * float64(perSecond)
	r.level = max(r.level-leaked, 0) + 1
	r.at = now
	return r.level <= most
}

// tooMany ends the session of a peer that does something too often.
func tooMany(what string, perSecond int) error {
	return &CloseError{Code: CloseRefusal + refusalExhausted, Reason: fmt.Sprintf("more than %d %s a second", perSecond, what)}
}

// inVain books a stream of the peer that has come to nothing by the peer's doing.
//
// Whoever has used up what is allowed in a second is read more slowly from then on,
// at four times the rate at the most, until it has used up what is allowed in a
// period: otherwise those who are cut off and come back get a period's worth of work
// done each time.
func (s *Session) inVain() error {
	most := s.cfg.MaxResets
	if !s.vain.allow(time.Now(), most) {
		return tooMany("streams are opened in vain", most)
	}
	if s.vain.level > float64(most) {
		time.Sleep(time.Second / time.Duration(4*most))
		s.vain.at = time.Now() // the delay earns nothing
	}
	return nil
}
