package transport

import (
	"context"

	"github.com/parley-rpc/parley/transport/frame"
)

// Open opens a stream with a header for the accepting end. It does not wait for
// the peer, but for a free place if the peer accepts no more streams at once.
// ctx bounds that wait and has no part in the stream's later life.
func (s *Session) Open(ctx context.Context, header []byte) (*Stream, error) {
	if err := s.admit("header", len(header), func() error { return s.waitGreeted(ctx) }); err != nil {
		return nil, err
	}
	if err := s.takeSlot(ctx); err != nil {
		return nil, err
	}
	st, w, err := s.openStream(nil, header)
	if w != nil {
		if err = s.await(ctx, w.ready); err == nil {
			st, _, err = s.openStream(w, header)
		} else {
			s.out.giveUp(w)
		}
	}
	if err != nil {
		s.freeSlot()
		return nil, s.failure(err)
	}
	s.kept()
	return st, nil
}

// takeSlot waits until the peer accepts one more stream at once.
func (s *Session) takeSlot(ctx context.Context) error {
	s.mu.Lock()
	if err := s.mayOpen(); err != nil {
		s.mu.Unlock()
		return err
	}
	if s.opening.empty() && s.slotFree() {
		s.opened++
		s.mu.Unlock()
		return nil
	}
	w := s.opening.add(1)
	s.mu.Unlock()
	err := s.await(ctx, w.ready)
	s.mu.Lock()
	defer s.mu.Unlock()
	granted := s.opening.leave(w)
	if err == nil {
		err = s.mayOpen()
	}
	if err != nil && granted {
		s.opened--
		s.grantSlots()
	}
	return err
}

// mayOpen returns why this end opens no more streams; mu is held.
func (s *Session) mayOpen() error {
	used := s.nextID > frame.MaxVarint // all ids
	if s.err == nil && (s.leaving || s.goneAway != nil || used) {
		return ErrDraining
	}
	return s.err
}

func (s *Session) slotFree() bool { return uint64(s.opened) < s.settings().MaxStreams }

// grantSlots serves those who wait to open a stream; mu is held.
func (s *Session) grantSlots() {
	s.opening.grant(func(int) bool {
		ok := s.slotFree()
		if ok {
			s.opened++
		}
		return ok
	})
}

// freeSlot gives a slot back that is not used any more.
func (s *Session) freeSlot() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened--
	s.grantSlots()
}

// openStream opens a stream in a slot that was taken, in room that was granted if
// w is not nil. A waiter that it returns has to be waited for.
func (s *Session) openStream(w *waiter, header []byte) (*Stream, *waiter, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.mayOpen(); err != nil {
		if w != nil {
			s.out.giveUp(w)
		}
		return nil, nil, err
	}
	h := frame.Header{Type: frame.TypeOpen, Stream: s.nextID}
	var pos uint64
	var err error
	if w != nil {
		pos, err = s.out.putGranted(w, h, header)
	} else {
		pos, w, err = s.out.put(h, header)
		if w != nil {
			return nil, w, nil
		}
	}
	if err != nil {
		return nil, nil, err
	}
	st := s.enter(s.spares.takeOwn(), s.nextID)
	st.opened, st.send.pos = pos, pos
	s.nextID += 2
	return st, nil, nil
}

// await waits for ready, unless the session or ctx ends before.
func (s *Session) await(ctx context.Context, ready <-chan struct{}) error {
	select {
	case <-ready:
		return nil
	case <-s.done:
		return s.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
