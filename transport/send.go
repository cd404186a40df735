package transport

import (
	"context"
	"sync"

	"github.com/parley-rpc/parley/internal/frame"
)

// maxPiece is the largest piece in bytes into which a message is cut, whatever
// the peer accepts: other streams get their turn between two pieces. Two of them
// with their headers fill a buffer here and at a receiver, and go out in one
// message of the link.
const maxPiece = 32<<10 - 64

// sendHalf is the direction in which this end sends.
type sendHalf struct {
	mu     sync.Mutex
	window sendWindow
	busy   bool          // a Send is under way
	begun  bool          // a HEADER or DATA frame was sent, or is about to be
	fresh  bool          // the Send under way is the first
	ended  bool          // this end has ended the direction
	torn   bool          // it ends inside a message
	pos    uint64        // of the last frame in the outbox that a RESET must not overtake
	err    error         // why nothing more can be sent
	notify chan struct{} // wakes the sender: more credit, or err
}

// SendOptions say what goes with a message.
type SendOptions struct {
	// Mark is a bit that the application may give a meaning.
	Mark bool
	// End ends the direction with this message, as CloseSend would, in one frame.
	End bool
}

// Send queues a message, which it does not keep. It returns when the message is
// in the write queue, not when the peer has it, and blocks while the peer gives
// no credit or the network is slow, until ctx ends. If ctx ends in the middle of
// a message that takes several frames, the direction is torn: what follows
// returns ErrPartialMessage, and only Reset or Close is left.
func (st *Stream) Send(ctx context.Context, msg []byte, opts SendOptions) error {
	if err := st.admit(ctx, "message", len(msg)); err != nil {
		return err
	}
	if err := st.send.begin(); err != nil {
		return err
	}
	err := st.sendPieces(ctx, msg, opts)
	st.send.release()
	return err
}

// admit is Session.admit, and ends with the direction as well.
func (st *Stream) admit(ctx context.Context, what string, size int) error {
	return st.s.admit(what, size, func() error { return st.send.await(ctx, st.s.peer.greeted) })
}

func (st *Stream) sendPieces(ctx context.Context, msg []byte, opts SendOptions) error {
	most := min(maxPiece, int(st.s.settings().MaxFrame))
	for rest := msg; ; {
		size, err := st.send.piece(ctx, len(rest), most)
		if err == nil {
			h := frame.Header{Type: frame.TypeData, Stream: st.id, Flags: dataFlags(opts, size < len(rest))}
			if err = st.queueMessage(ctx, h, rest[:size]); err != nil {
				st.send.refund(size)
			}
		}
		if err != nil {
			if len(rest) < len(msg) {
				st.send.tear()
			} else {
				st.send.retract()
			}
			return err
		}
		if rest = rest[size:]; len(rest) == 0 {
			return nil
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

// SendHeader sends the accepting end's header. It comes before all messages, and
// once; afterwards SendHeader returns ErrStreamClosed.
func (st *Stream) SendHeader(ctx context.Context, header []byte) error {
	if err := st.admit(ctx, "header", len(header)); err != nil {
		return err
	}
	if st.opener {
		return ErrStreamClosed
	}
	if err := st.send.beginHeader(); err != nil {
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
	if err := st.send.begin(); err != nil {
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
// The accepting end counts the stream as ended before the peer can know it, or
// the peer's next OPEN could find one stream too many. The opening end counts it
// afterwards, or its own next OPEN could come first.
func (st *Stream) queueLast(ctx context.Context, h frame.Header, payload []byte) error {
	if !st.opener {
		st.ended(st.send.end())
	}
	pos, err := st.queueFrame(ctx, h, payload)
	switch {
	case err == nil:
		st.send.setPosition(pos)
	case !st.opener: // the end was announced to nobody: what is left is to give up
		st.abort(&ResetError{Code: ResetCancel, Reason: "the end of the stream was not sent"}, peerKnows)
		st.sayReset(ResetCancel, "")
		return err
	default:
		return err
	}
	if st.opener {
		st.ended(st.send.end())
	}
	return nil
}

// begin reserves the direction for one sender.
func (h *sendHalf) begin() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.err != nil:
		return h.err
	case h.ended:
		return ErrStreamClosed
	case h.torn:
		return ErrPartialMessage
	case h.busy:
		return ErrConcurrent
	}
	h.busy, h.begun, h.fresh = true, true, !h.begun
	return nil
}

// beginHeader is begin for the frame that has to come first.
func (h *sendHalf) beginHeader() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.err != nil:
		return h.err
	case h.begun || h.ended:
		return ErrStreamClosed
	}
	h.busy, h.begun, h.fresh = true, true, true
	return nil
}

// retract says that the Send under way has sent nothing.
func (h *sendHalf) retract() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.begun = !h.fresh
}

// release gives the direction free for the next sender.
func (h *sendHalf) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.busy = false
}

// end ends the direction and returns by how much the count of open ones falls.
func (h *sendHalf) end() int32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		return 0
	}
	h.ended = true
	return 1
}

// piece waits for credit and spends it on the next piece of a message of which n
// bytes are left.
func (h *sendHalf) piece(ctx context.Context, n, most int) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		if h.err != nil {
			return 0, h.err
		}
		if size, ok := h.window.piece(n, most); ok {
			h.window.spend(size)
			return size, nil
		}
		if _, err := h.wait(ctx, nil); err != nil {
			return 0, err
		}
	}
}

// refund gives back what was spent on a piece that was not sent.
func (h *sendHalf) refund(size int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.window.refund(size)
}

// await returns when ready is closed, or with the reason why waiting is in vain.
func (h *sendHalf) await(ctx context.Context, ready <-chan struct{}) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		if ready, err := h.wait(ctx, ready); ready || err != nil {
			return err
		}
	}
}

// wait returns when there may be more credit, or done is closed, or with the
// reason why waiting is in vain. mu is held, but not while it waits.
func (h *sendHalf) wait(ctx context.Context, done <-chan struct{}) (ready bool, err error) {
	if h.err != nil {
		return false, h.err
	}
	if h.notify == nil {
		h.notify = make(chan struct{}, 1)
	}
	notify := h.notify
	h.mu.Unlock()
	defer h.mu.Lock()
	select {
	case <-notify:
		return false, nil
	case <-done:
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

func (h *sendHalf) wake() {
	if h.notify == nil {
		return
	}
	select {
	case h.notify <- struct{}{}:
	default:
	}
}

// raise takes over a limit that the peer has announced.
func (h *sendHalf) raise(limit uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.window.raise(limit) {
		h.wake()
	}
}

// raiseBy adds to the limit what the peer's HELLO grants beyond the default.
func (h *sendHalf) raiseBy(more uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.window.limit += more
	h.wake()
}

// fail ends the direction with err, unless it has ended, and returns by how much
// the count of open directions falls.
func (h *sendHalf) fail(err error) int32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		return 0
	}
	h.err = err
	h.wake()
	if h.ended {
		return 0
	}
	return 1
}

// failure returns why nothing more can be sent, nil if nothing has failed.
func (h *sendHalf) failure() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

// over tells whether the direction has ended, in order or not.
func (h *sendHalf) over() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ended || h.err != nil
}

func (h *sendHalf) tear() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.torn = true
}

func (h *sendHalf) setPosition(pos uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pos = pos
}

func (h *sendHalf) position() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pos
}
