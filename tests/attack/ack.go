package main

import (
	"context"
	"sync/atomic"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/frame"
)

// ackFlood has the server send many small messages, and acknowledges them one by one
// when it has sent as many as it keeps.
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

	empty := frame.Append(nil, frame.Header{Type: frame.TypeData, Stream: 1}, nil)
	acked := uint64(0)
	for spent := uint64(0); ctx.Err() == nil; {
		var questions []byte
		for range batch {
			if window.Load() < spent+frameCost {
				break
			}
			questions = append(questions, empty...)
			spent += frameCost
		}
		var acks []byte
		if questions == nil { // the server has said all that it can
			for range batch {
				if acked < received.Load() {
					acked++
					acks = frame.AppendAck(acks, acked)
					n.units.Add(1)
				}
			}
		}
		if questions == nil && acks == nil {
			pause(ctx, rhythm)
			continue
		}
		if err := link.WriteMessage([][]byte{questions, acks}); err != nil {
			return <-ended
		}
	}
	return nil
}

// countSequenced counts the frames that are to be acknowledged, and notes the window of
// the only stream.
func countSequenced(link transport.Link, received, window *atomic.Uint64) error {
	for {
		msg, err := readMessage(link)
		if err != nil {
			return err
		}
		err = eachFrame(msg, func(h frame.Header, payload []byte) (err error) {
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
		if err != nil {
			return err
		}
	}
}
