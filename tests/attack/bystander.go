package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

// bystander is a client that keeps the rules during an attack, until leave is
// called.
type bystander interface {
	fmt.Stringer
	// leave ends the bystander and returns its failures.
	leave() error
}

// newcomers are clients with credentials that connect while the server is
// attacked.
type newcomers struct {
	connected, refused atomic.Int64
	why                atomic.Pointer[error]
	end                context.CancelFunc
	all                sync.WaitGroup
}

// comeAndGo runs 30 newcomers, each of which connects five times a second.
func comeAndGo(ctx context.Context, addr string, _ func(*secret)) bystander {
	const crowd, every = 30, 200 * time.Millisecond
	n := new(newcomers)
	ctx, n.end = context.WithCancel(ctx)
	for i := range crowd {
		n.all.Go(func() {
			pause(ctx, every*time.Duration(i)/crowd)
			for ctx.Err() == nil {
				n.connect(ctx, addr, fmt.Sprintf("friend-%d", i))
				pause(ctx, every)
			}
		})
	}
	return n
}

func (n *newcomers) connect(ctx context.Context, addr, name string) {
	link, err := dial(ctx, addr, name)
	switch {
	case err == nil:
		n.connected.Add(1)
		_ = link.Close(transport.CloseAbnormal, "") // no session depends on it
	case ctx.Err() == nil:
		n.refused.Add(1)
		n.why.Store(&err)
	}
}

func (n *newcomers) leave() error {
	n.end()
	n.all.Wait()
	if n.refused.Load() == 0 {
		return nil
	}
	return fmt.Errorf("%v: %w", n, *n.why.Load())
}

func (n *newcomers) String() string {
	return fmt.Sprintf("%d clients with credentials connected, %d were refused", n.connected.Load(), n.refused.Load())
}

// sleeper is a client whose link is lost for a second now and then, during a
// call.
type sleeper struct {
	slept atomic.Int64
	end   context.CancelFunc
	over  chan error
}

// sleep starts a sleeper.
func sleep(ctx context.Context, addr string, _ func(*secret)) bystander {
	s := &sleeper{over: make(chan error, 1)}
	ctx, s.end = context.WithCancel(ctx)
	go func() { s.over <- s.live(ctx, addr) }()
	return s
}

func (s *sleeper) live(ctx context.Context, addr string) error {
	var link transport.Link // the latest
	asSleeper := func(ctx context.Context) (_ transport.Link, err error) {
		link, err = dial(ctx, addr, "sleeper")
		return link, err
	}
	lost := make(chan struct{}, 1)
	if _, err := asSleeper(ctx); err != nil {
		return err
	}
	sess, err := transport.NewSession(link, transport.Dialer, transport.Config{
		OnDetached: func(*transport.Session, error) { lost <- struct{}{} },
	})
	if err != nil {
		return err
	}
	defer sess.Close(transport.CloseNormal, "") //nolint:errcheck // what counts has been returned
	st, err := sess.Open(ctx, frame.AppendBytesField(nil, 1, talk.Path()))
	if err != nil {
		return unlessOver(ctx, 0, err)
	}
	for i := uint64(1); ctx.Err() == nil; i++ {
		if err := askBack(ctx, st); err != nil {
			return unlessOver(ctx, i, err)
		}
		_ = link.Close(transport.CloseAbnormal, "") // this is the loss
		<-lost
		pause(ctx, time.Second)
		if err := resume(ctx, sess, asSleeper); err != nil {
			return unlessOver(ctx, i, err)
		}
		s.slept.Add(1)
	}
	return nil
}

// askBack sends a message and receives the response.
func askBack(ctx context.Context, st *transport.Stream) error {
	if err := st.Send(ctx, bytesMessage([]byte("awake")), transport.SendOptions{}); err != nil {
		return err
	}
	_, err := st.Recv(ctx, nil)
	return err
}

func (s *sleeper) leave() error {
	s.end()
	return <-s.over
}

func (s *sleeper) String() string {
	return fmt.Sprintf("a client without a link came back %d times", s.slept.Load())
}

// resume makes links until one resumes the session, or the session has ended.
func resume(ctx context.Context, s *transport.Session, dial func(context.Context) (transport.Link, error)) error {
	for ctx.Err() == nil && s.Err() == nil {
		link, err := dial(ctx)
		if err == nil {
			_, err = s.Resume(ctx, link, nil)
		}
		if err == nil {
			return nil
		}
		pause(ctx, rhythm)
	}
	return errors.Join(s.Err(), ctx.Err())
}
