package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

// ackFlood makes the server keep many small messages, and acknowledges them one
// by one.
func ackFlood(ctx context.Context, addr string, n *tally) error {
	link, err := dial(ctx, addr, "")
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = link.Close(transport.CloseAbnormal, "") })
	defer stop()
	defer link.Close(transport.CloseAbnormal, "") //nolint:errcheck // nothing to lose
	hello := resumable
	hello.ReplayLimit = 1 << 30
	if err := link.WriteMessage([][]byte{hello.Append(nil), open(nil, 1, talk, nil)}); err != nil {
		return err
	}
	var received, window atomic.Uint64
	ended := make(chan error, 1)
	go func() { ended <- countSequenced(link, &received, &window) }()

	a := acknowledger{received: &received, window: &window}
	for ctx.Err() == nil {
		msg := a.ask(nil)
		if a.received.Load() >= unacknowledged {
			msg = a.acknowledge(msg, n)
			pause(ctx, time.Millisecond) // the cost of each counts, not their number
		}
		if msg == nil {
			pause(ctx, time.Millisecond)
			continue
		}
		if err := link.WriteMessage([][]byte{msg}); err != nil {
			return <-ended
		}
	}
	return nil
}

// unacknowledged is how many frames the server has to keep before the first
// ACK: less than 1 MiB of them.
const unacknowledged = 100_000

// acknowledger is a session with one call that answers each message with a
// frame.
type acknowledger struct {
	received, window *atomic.Uint64
	spent, acked     uint64
}

// ask appends as many messages as the credit allows.
func (a *acknowledger) ask(dst []byte) []byte {
	for range batch {
		if a.window.Load() < a.spent+frameCost {
			break
		}
		dst = frame.Append(dst, frame.Header{Type: frame.TypeData, Stream: 1}, nil)
		a.spent += frameCost
	}
	return dst
}

// acknowledge appends ACKs, each of which acknowledges one more frame.
func (a *acknowledger) acknowledge(dst []byte, n *tally) []byte {
	for range batch {
		if a.acked == a.received.Load() {
			break
		}
		a.acked++
		dst = frame.AppendAck(dst, a.acked)
		n.units.Add(1)
	}
	return dst
}

// countSequenced counts the frames to acknowledge, and records the window of
// the only stream.
func countSequenced(link transport.Link, received, window *atomic.Uint64) error {
	for {
		if err := countMessage(link, received, window); err != nil {
			return err
		}
	}
}

// countMessage does so for a message of the link.
func countMessage(link transport.Link, received, window *atomic.Uint64) error {
	msg, err := readMessage(link)
	if err != nil {
		return err
	}
	return eachFrame(msg, func(h frame.Header, payload []byte) (err error) {
		var limit uint64
		switch {
		case h.Type.Sequenced():
			received.Add(1)
		case h.Type == frame.TypeWindow:
			if limit, err = frame.ParseWindow(payload); err == nil {
				window.Store(limit)
			}
		case h.Type == frame.TypeHello:
			var hello frame.Hello
			if hello, err = frame.ParseHello(payload); err == nil {
				window.Store(hello.InitialWindow)
			}
		}
		return err
	})
}
