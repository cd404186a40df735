package transport

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
)

// pings numbers the PINGs of a session and holds those that a Ping waits for.
// The session's mu guards it.
type pings struct {
	last    uint64
	waiting map[uint64]chan struct{}

	timed   uint64    // the number of a PING that measures the round trip; 0: none
	timedAt time.Time // when it was sent
}

// next returns the payload of a new PING: its number.
func (p *pings) next() (opaque [frame.PingLen]byte) {
	p.last++
	binary.BigEndian.PutUint64(opaque[:], p.last)
	return opaque
}

// wait returns the number of the newest PING, and a channel that is closed when
// the peer has answered it.
func (p *pings) wait() (number uint64, answered <-chan struct{}) {
	if p.waiting == nil {
		p.waiting = make(map[uint64]chan struct{})
	}
	ch := make(chan struct{})
	p.waiting[p.last] = ch
	return p.last, ch
}

// time has the newest PING measure the round trip.
func (p *pings) time(now time.Time) { p.timed, p.timedAt = p.last, now }

// sample returns the round trip that an answer shows, or 0.
func (p *pings) sample(opaque [frame.PingLen]byte, now time.Time) (roundTrip time.Duration) {
	if p.timed == 0 || binary.BigEndian.Uint64(opaque[:]) < p.timed {
		return 0
	}
	p.timed = 0
	return now.Sub(p.timedAt)
}

// answer ends the wait for a PING and for those before it: of several PINGs,
// the peer has to answer only the newest.
func (p *pings) answer(opaque [frame.PingLen]byte) {
	newest := binary.BigEndian.Uint64(opaque[:])
	for number, answered := range p.waiting {
		if number <= newest {
			close(answered)
			delete(p.waiting, number)
		}
	}
}

// Ping sends a PING and returns how long the peer took to answer it.
func (s *Session) Ping(ctx context.Context) (time.Duration, error) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return 0, s.err
	}
	start := time.Now()
	if err := s.putPing(); err != nil {
		s.mu.Unlock()
		return 0, s.failure(err)
	}
	number, answered := s.pings.wait()
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.pings.waiting, number)
	}()

	if err := s.await(ctx, answered); err != nil {
		return 0, err
	}
	return time.Since(start), nil
}

// sendPing sends a PING for which no Ping waits.
func (s *Session) sendPing() {
	s.mu.Lock()
	err := s.putPing()
	s.mu.Unlock()
	s.queued(err)
}

// resendPing sends a PING on a new link if a Ping waits: its own PING may be
// lost with the old link. One answer ends all waits. None measures the round
// trip over both links.
func (s *Session) resendPing() {
	s.mu.Lock()
	s.pings.timed = 0 // its PING is lost too
	waiting := len(s.pings.waiting) > 0
	s.mu.Unlock()
	if waiting {
		s.sendPing()
	}
}

// putPing queues a PING. mu is held, so that PINGs are sent in the order of
// their numbers.
func (s *Session) putPing() error {
	opaque := s.pings.next()
	return s.out.putLinkControl(frame.Append(nil, frame.Header{Type: frame.TypePing}, opaque[:]))
}

func (d dispatcher) handlePing(p []byte) error {
	opaque, err := frame.ParsePing(p)
	if err != nil {
		return err
	}
	if err := d.s.limits.countPing(time.Now(), d.s.cfg.MaxPings); err != nil {
		return err
	}
	d.s.out.putPong(opaque)
	return nil
}

func (d dispatcher) handlePong(p []byte) error {
	opaque, err := frame.ParsePing(p)
	if err != nil {
		return err
	}
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	if d.s.pings.timed != 0 {
		now := time.Now()
		if sample := d.s.pings.sample(opaque, now); sample > 0 {
			d.s.roundTrip.add(now, sample)
		}
	}
	d.s.pings.answer(opaque)
	return nil
}
