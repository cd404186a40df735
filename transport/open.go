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
	st, err := s.open(ctx, header)
	if err != nil {
		return nil, s.failure(err)
	}
	s.kept()
	return st, nil
}

// open opens a stream as soon as there is a slot, and room for its frame.
func (s *Session) open(ctx context.Context, header []byte) (*Stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.takeSlot(ctx); err != nil {
		return nil, err
	}
	st, err := s.openStream(ctx, header)
	if err != nil {
		s.opened--
		s.grantSlots()
	}
	return st, err
}

// takeSlot waits until the peer accepts one more stream at once. mu is held, but not
// while it waits.
func (s *Session) takeSlot(ctx context.Context) error {
	if err := s.mayOpen(); err != nil {
		return err
	}
	if s.opening.empty() && s.slotFree() {
		s.opened++
		return nil
	}
	w := s.opening.add(1)
	err := s.waitOpen(ctx, w)
	if granted := s.opening.leave(w); err != nil && granted {
		s.opened--
		s.grantSlots()
	}
	return err
}

// waitOpen waits for what a stream needs to be opened. mu is held, but not while it
// waits: the session may have ended then, which is the error.
func (s *Session) waitOpen(ctx context.Context, w *waiter) error {
	s.mu.Unlock()
	err := awaitOr(ctx, w.ready)
	s.mu.Lock()
	if err != nil {
		return err
	}
	return s.mayOpen()
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

// openStream opens a stream in a slot that was taken, when there is room for its frame.
// mu is held, but not while it waits.
func (s *Session) openStream(ctx context.Context, header []byte) (*Stream, error) {
	pos, w, err := s.out.put(frame.Header{Type: frame.TypeOpen, Stream: s.nextID}, header)
	if w != nil {
		if err := s.waitOpen(ctx, w); err != nil {
			s.out.giveUp(w)
			return nil, err
		}
		pos, err = s.out.putGranted(w, frame.Header{Type: frame.TypeOpen, Stream: s.nextID}, header)
	}
	if err != nil {
		return nil, err
	}
	st := s.enter(s.spares.takeOwn(), s.nextID)
	st.opened, st.send.pos = pos, pos
	s.nextID += 2
	return st, nil
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
