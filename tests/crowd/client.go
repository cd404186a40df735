package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/tests/internal/rig"
)

// dialing is how many connections are made at the same time.
const dialing = 64

// client is an rpc.Client with an open call.
type client struct {
	client *rpc.Client
	call   rpc.Stream
}

// clients are all clients of this process.
type clients struct {
	linksLost atomic.Int64

	mu  sync.Mutex
	all []client
}

// arrive opens n connections, with a call on each.
func (cs *clients) arrive(ctx context.Context, n int, addr string) error {
	return each(n, func(int) error {
		c := rpc.NewClient("ws://"+addr+rig.Path, rpc.OnDetached(func(*rpc.Conn) { cs.linksLost.Add(1) }))
		s, err := c.Open(ctx, echo)
		cs.mu.Lock()
		cs.all = append(cs.all, client{c, s})
		cs.mu.Unlock()
		if err != nil {
			return err
		}
		return ask(s)
	})
}

// ask exchanges a message on each call.
func (cs *clients) ask() error {
	return each(len(cs.all), func(i int) error { return ask(cs.all[i].call) })
}

// leave ends all calls and connections.
func (cs *clients) leave() error {
	all := cs.all
	cs.all = nil
	return each(len(all), func(i int) error {
		g := all[i]
		if g.call == nil {
			return g.client.Close()
		}
		err := g.call.CloseSend()
		if end := g.call.Recv(new(wrapperspb.UInt64Value)); rpc.CodeOf(err) != rpc.CodeOK || !isEnd(end) {
			err = errors.Join(err, fmt.Errorf("the call ended with: %w", end))
		}
		return errors.Join(err, g.client.Close())
	})
}

// each calls f for 0 to n-1, several at a time, and returns the first error.
func each(n int, f func(int) error) error {
	var next atomic.Int64
	var mu sync.Mutex
	var first error
	var workers sync.WaitGroup
	for range min(n, dialing) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if err := f(int(i)); err != nil {
					mu.Lock()
					if first == nil {
						first = err
					}
					mu.Unlock()
				}
			}
		})
	}
	workers.Wait()
	return first
}

func ask(s rpc.Stream) error {
	want := uint64(time.Now().UnixNano())
	if err := s.Send(wrapperspb.UInt64(want)); err != nil {
		return err
	}
	m := new(wrapperspb.UInt64Value)
	if err := s.Recv(m); err != nil {
		return err
	}
	if m.Value != want {
		return fmt.Errorf("asked %d, got %d", want, m.Value)
	}
	return nil
}
