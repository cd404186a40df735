package transport

import (
	"context"

	"github.com/parley-rpc/parley/internal/frame"
)

// maxPiece is the largest piece of a message in bytes, whatever the peer
// accepts: other streams may send between two pieces. Two of them with their
// headers fill one buffer, at both ends, and one message of the link.
const maxPiece = 32<<10 - 64

// SendOptions say what goes with a message.
type SendOptions struct {
	// Mark is a bit whose meaning is up to the application.
	Mark bool
	// End ends the direction with this message, as CloseSend would, in one
	// frame.
	End bool
}

// Send queues a message, and does not keep msg. It returns when the message is
// in the write queue, not when the peer has it. It blocks while the peer gives
// no credit or the network is slow, until ctx ends. If ctx ends in the middle
// of a message of several frames, only Reset and Close are left: later calls
// return ErrPartialMessage.
func (st *Stream) Send(ctx context.Context, msg []byte, opts SendOptions) error {
	if err := st.admit(ctx, "message", len(msg)); err != nil {
		return err
	}
	most := min(maxPiece, int(st.s.settings().MaxFrame))
	size, spent, err := st.send.reserveWithPiece(len(msg), most)
	if err != nil {
		return err
	}
	if !spent {
		size, err = st.send.piece(ctx, len(msg), most)
	}
	if err == nil {
		err = st.sendPieces(ctx, msg, size, most, opts)
	} else {
		st.send.retract()
	}
	st.send.release()
	return err
}

// admit is Session.admit, and fails when the direction does.
func (st *Stream) admit(ctx context.Context, what string, size int) error {
	return st.s.admit(what, size, func() error { return st.send.await(ctx, st.s.peer.arrived.done()) })
}

// sendPieces sends a message in pieces of most bytes at most. Credit was spent
// on the first one, of size bytes.
func (st *Stream) sendPieces(ctx context.Context, msg []byte, size, most int, opts SendOptions) error {
	for rest := msg; ; {
		h := frame.Header{Type: frame.TypeData, Stream: st.id, Flags: dataFlags(opts, size < len(rest))}
		err := st.queueMessage(ctx, h, rest[:size])
		if err != nil {
			st.send.refund(size)
			if len(rest) == len(msg) {
				st.send.retract()
			} else {
				st.send.setPartial()
			}
			return err
		}
		if rest = rest[size:]; len(rest) == 0 {
			return nil
		}
		var spent bool
		if size, spent = st.send.spendPiece(len(rest), most); spent {
			continue
		}
		st.s.out.flush()
		if size, err = st.send.piece(ctx, len(rest), most); err != nil {
			st.send.setPartial()
			return err
		}
	}
}

func dataFlags(opts SendOptions, more bool) (f frame.Flags) {
	if opts.Mark {
		f |= frame.FlagMark
	}
	switch {
	case more:
		f |= frame.FlagMore
	case opts.End:
		f |= frame.FlagEnd
	}
	return f
}

// SendHeader sends the accepting end's header. It must come once and before all
// messages; otherwise SendHeader returns ErrStreamClosed.
func (st *Stream) SendHeader(ctx context.Context, header []byte) error {
	if err := st.admit(ctx, "header", len(header)); err != nil {
		return err
	}
	if st.opener {
		return ErrStreamClosed
	}
	if err := st.send.reserveForHeader(); err != nil {
		return err
	}
	_, err := st.queueFrame(ctx, frame.Header{Type: frame.TypeHeader, Stream: st.id}, header)
	if err != nil {
		st.send.retract()
	}
	st.send.release()
	return err
}

// CloseSend ends the direction with a trailer, which may be empty. The other
// direction stays as it is.
func (st *Stream) CloseSend(ctx context.Context, trailer []byte) error {
	if err := st.admit(ctx, "header", len(trailer)); err != nil {
		return err
	}
	if err := st.send.reserve(); err != nil {
		return err
	}
	err := st.queueLast(ctx, frame.Header{Type: frame.TypeEnd, Stream: st.id}, trailer)
	if err != nil {
		st.send.retract()
	}
	st.send.release()
	return err
}

func (st *Stream) queueMessage(ctx context.Context, h frame.Header, piece []byte) error {
	if h.Flags&frame.FlagEnd != 0 {
		return st.queueLast(ctx, h, piece)
	}
	_, err := st.queueFrame(ctx, h, piece)
	return err
}

// queueLast queues the frame that ends the direction.
//
// The accepting end counts the stream as ended before the peer can know it.
// Otherwise the peer's next OPEN might find one stream too many. The opening
// end counts it afterwards. Otherwise its own next OPEN might be sent first.
func (st *Stream) queueLast(ctx context.Context, h frame.Header, payload []byte) error {
	if !st.opener {
		st.halvesEnded(st.send.end())
	}
	pos, err := st.queueFrame(ctx, h, payload)
	switch {
	case err == nil:
		st.send.setPosition(pos)
	case !st.opener: // the direction counts as ended, but its end was not sent
		st.abort(&ResetError{Code: ResetCancel, Reason: "the end of the stream was not sent"}, peerKnows)
		st.sendReset(ResetCancel, "")
		return err
	default:
		return err
	}
	if st.opener {
		st.halvesEnded(st.send.end())
	}
	return nil
}

// queueFrame queues a frame. It waits for room until ctx ends or the direction
// fails.
func (st *Stream) queueFrame(ctx context.Context, h frame.Header, payload []byte) (pos position, err error) {
	f := outgoing{Header: h, payload: payload}
	mode := viaWriter
	if f.completes() {
		mode = st.s.writeMode()
	}
	p, err := st.s.out.put(mode, &st.send.turn, f)
	if err == nil && p.wait != nil {
		if err := st.send.await(ctx, p.wait.ready); err != nil {
			st.s.out.giveUp(p.wait)
			return 0, err
		}
		p.pos, err = st.s.out.putGranted(p.wait, &st.send.turn, f)
	}
	if err != nil {
		return 0, st.s.failure(err)
	}
	st.s.updateDetached()
	if p.inline != nil {
		p.inline.writeInline(st.s)
	}
	return p.pos, nil
}
