package main

import (
	"context"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

// undone is a connection with messages that lack their last byte.
type undone struct {
	link  transport.Link
	count func()
	sent  map[uint64]*progress // by stream
}

// progress is how much of a message has been sent.
type progress struct{ bytes, spent, credit uint64 }

const (
	// begun is how many messages a connection starts.
	begun = 256
	// almostAll is all of a message but its last byte.
	almostAll = 4<<20 - 1
	pieceSize = 32 << 10 // bytes of a DATA frame
	frameCost = 32       // bytes of credit beside them
)

// unfinished begins many messages of the largest size, and sends all of them
// but the last byte, as fast as the server gives credit.
func unfinished(ctx context.Context, addr string, n *tally) error {
	link, err := dial(ctx, addr, "")
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = link.Close(transport.CloseAbnormal, "") })
	defer stop()
	defer link.Close(transport.CloseAbnormal, "") //nolint:errcheck // nothing to lose
	if err := link.WriteMessage([][]byte{generous.Append(nil)}); err != nil {
		return err
	}
	u := undone{link: link, count: func() { n.units.Add(1) }, sent: make(map[uint64]*progress)}
	for {
		msg, err := readMessage(link)
		if err != nil {
			return err
		}
		if err := eachFrame(msg, u.handle); err != nil {
			return err
		}
	}
}

func (u *undone) handle(h frame.Header, payload []byte) error {
	switch h.Type {
	case frame.TypeHello:
		hello, err := frame.ParseHello(payload)
		if err != nil {
			return err
		}
		for id := uint64(1); id < 2*begun; id += 2 {
			u.sent[id] = &progress{credit: hello.InitialWindow}
			if err := u.link.WriteMessage([][]byte{open(nil, id, take, nil)}); err != nil {
				return err
			}
			if err := u.goOn(id); err != nil {
				return err
			}
		}
	case frame.TypeWindow:
		limit, err := frame.ParseWindow(payload)
		if p := u.sent[h.Stream]; err == nil && p != nil {
			p.credit = limit
			return u.goOn(h.Stream)
		}
		return err
	case frame.TypeReset, frame.TypeEnd:
		delete(u.sent, h.Stream) // the server has reset it
	}
	return nil
}

var zeroPiece = make([]byte, pieceSize)

// goOn sends as much of a message as the credit allows.
func (u *undone) goOn(id uint64) error {
	p := u.sent[id]
	for p.bytes < almostAll && p.credit > p.spent+frameCost {
		n := min(pieceSize, almostAll-p.bytes, p.credit-p.spent-frameCost)
		piece := frame.Append(nil, frame.Header{Type: frame.TypeData, Flags: frame.FlagMore, Stream: id}, zeroPiece[:n])
		if err := u.link.WriteMessage([][]byte{piece}); err != nil {
			return err
		}
		p.bytes += n
		p.spent += n + frameCost
		if p.bytes == almostAll {
			u.count()
		}
	}
	return nil
}
