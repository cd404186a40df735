package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/tests/internal/rig"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// hoarding is how many sessions an attacker holds at once.
const hoarding = 32

// neverAcknowledge makes the server send as much as it keeps for a peer that
// has given credit for all of it, and acknowledges none of it.
func neverAcknowledge(ctx context.Context, addr string, n *tally) error {
	return hoard(func() error {
		return download(ctx, addr, new(ws.Dialer), func(link transport.Link) error {
			n.units.Add(1)
			return readOn(link)
		})
	})
}

// acknowledgeAndHold makes the server believe in a path that holds MaxReplay.
// In the end nothing is acknowledged.
func acknowledgeAndHold(ctx context.Context, addr string, n *tally) error {
	return hoard(func() error {
		return download(ctx, addr, new(ws.Dialer), func(link transport.Link) error {
			var received, window atomic.Uint64
			if err := growInFlight(ctx, link, &received, &window); err != nil {
				return err
			}
			n.units.Add(1)
			return readOn(link)
		})
	})
}

// hoard holds as many sessions as an attacker does, and returns the first
// error: it says it all.
func hoard(hold func() error) (first error) {
	ended := make(chan error, hoarding)
	for range hoarding {
		go func() { ended <- hold() }()
	}
	for range hoarding {
		if err := <-ended; first == nil {
			first = err
		}
	}
	return first
}

// download calls f with the link of a session that has a call which sends
// without end, and credit for all of it.
func download(ctx context.Context, addr string, d *ws.Dialer, f func(transport.Link) error) error {
	link, err := d.Dial(ctx, "ws://"+addr+rig.Path)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = link.Close(transport.CloseAbnormal, "") })
	defer stop()
	defer link.Close(transport.CloseAbnormal, "") //nolint:errcheck // nothing to lose
	call := open(nil, 1, pour, nil)
	call = frame.Append(call, frame.Header{Type: frame.TypeData, Flags: frame.FlagEnd, Stream: 1}, nil)
	if err := link.WriteMessage([][]byte{resumable.Append(nil), call}); err != nil {
		return err
	}
	return f(link)
}

// readOn reads a link and answers its PINGs, so that the server does not end it.
func readOn(link transport.Link) error {
	for {
		msg, err := readMessage(link)
		if err != nil {
			return err
		}
		err = eachFrame(msg, func(h frame.Header, payload []byte) error {
			if h.Type != frame.TypePing {
				return nil
			}
			return link.WriteMessage([][]byte{frame.Append(nil, frame.Header{Type: frame.TypePong}, payload)})
		})
		if err != nil {
			return err
		}
	}
}

const (
	// longPath is the round trip that growInFlight feigns, and longRounds for
	// how many of them.
	longPath   = 100 * time.Millisecond
	longRounds = 8
)

// growInFlight acknowledges all that has arrived at the end of each round, so
// that the rate and the round trip of the path seem to be high.
func growInFlight(ctx context.Context, link transport.Link, received, window *atomic.Uint64) error {
	rounds, end := context.WithTimeout(ctx, longPath*longRounds)
	defer end()
	acknowledged := make(chan struct{})
	go func() {
		defer close(acknowledged)
		for rounds.Err() == nil {
			pause(rounds, longPath)
			if link.WriteMessage([][]byte{frame.AppendAck(nil, received.Load())}) != nil {
				return
			}
		}
	}()
	defer func() { <-acknowledged }()
	for rounds.Err() == nil {
		if err := countMessage(link, received, window); err != nil {
			return err
		}
	}
	return nil
}
