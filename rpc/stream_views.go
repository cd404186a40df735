package rpc

import (
	"errors"
	"io"
	"iter"
)

// Sender is the view of a call on which messages are sent.
type Sender[T any] struct{ s Stream }

// Send sends a message and does not retain it. It returns when the message is
// queued for the network, not when the peer has received it, and blocks while
// the peer is slow. If the call is over, Send returns its status.
func (v Sender[T]) Send(msg *T) error { return v.s.Send(msg) }

// Call returns the call.
func (v Sender[T]) Call() *Call { return v.s.Call() }

// Receiver is the view of a call from which messages are received.
type Receiver[T any] struct{ s Stream }

// Recv waits for the next message. It returns io.EOF after the peer's last
// message, and otherwise the status of the call.
func (r Receiver[T]) Recv() (*T, error) {
	msg := new(T)
	if err := recvNew(r.s, msg); err != nil {
		return nil, err
	}
	return msg, nil
}

// All ranges over the messages. An error is the last item. At the caller's end,
// leaving the loop early cancels the call.
func (r Receiver[T]) All() iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		defer r.s.Close()
		for {
			msg, err := r.Recv()
			if errors.Is(err, io.EOF) || !yield(msg, err) || err != nil {
				return
			}
		}
	}
}

// Close ends the use of the call. At the caller's end it cancels a call that is
// not over, so a caller that does not receive to the end must call it.
func (r Receiver[T]) Close() error { return r.s.Close() }

// Call returns the call.
func (r Receiver[T]) Call() *Call { return r.s.Call() }

// Upload is the caller's view of a client-streaming call.
type Upload[Req, Res any] struct{ s Stream }

// Send sends a message, as Sender.Send does. ErrFinished means that the handler
// has already responded: CloseAndRecv returns the response.
func (u Upload[Req, Res]) Send(msg *Req) error { return u.s.Send(msg) }

// CloseAndRecv ends the messages and waits for the response.
func (u Upload[Req, Res]) CloseAndRecv() (*Res, error) {
	defer u.s.Close()
	if err := u.s.CloseSend(); err != nil {
		return nil, err
	}
	return recvResponse[Res](u.s)
}

// Close cancels the call unless it is over.
func (u Upload[Req, Res]) Close() error { return u.s.Close() }

// Call returns the call.
func (u Upload[Req, Res]) Call() *Call { return u.s.Call() }

// Duplex is the caller's view of a bidirectional streaming call. One goroutine
// may send while another receives.
type Duplex[Req, Res any] struct{ s Stream }

// Send sends a message, as Sender.Send does. ErrFinished means that the handler
// has returned with OK: Recv returns the messages it has sent.
func (d Duplex[Req, Res]) Send(msg *Req) error { return d.s.Send(msg) }

// CloseSend ends the messages of this end. Messages can still be received.
func (d Duplex[Req, Res]) CloseSend() error { return d.s.CloseSend() }

// Recv waits for the next message, as Receiver.Recv does.
func (d Duplex[Req, Res]) Recv() (*Res, error) { return Receiver[Res]{d.s}.Recv() }

// All ranges over the messages, as Receiver.All does.
func (d Duplex[Req, Res]) All() iter.Seq2[*Res, error] { return Receiver[Res]{d.s}.All() }

// Close cancels the call unless it is over. A caller that does not receive to
// the end must call it.
func (d Duplex[Req, Res]) Close() error { return d.s.Close() }

// Call returns the call.
func (d Duplex[Req, Res]) Call() *Call { return d.s.Call() }
