package transport

import (
	"errors"

	"github.com/parley-rpc/parley/internal/frame"
)

// maxGoAways is how many GOAWAYs the peer may send in a session.
const maxGoAways = 100

// goAwayState is what both ends of a session have said by GOAWAY. The session's
// mu guards it.
type goAwayState struct {
	side     Side
	draining latch // either end has sent a GOAWAY

	// What this end has sent.
	noticeSent bool
	finalSent  bool   // the GOAWAY after which it serves no new streams
	endSent    bool   // a GOAWAY with a status: the session ends
	lastServed uint64 // in the final one: the highest id of the peer's streams that is served

	// What the peer has sent.
	peer        *GoAway       // the last one
	received    int           // how many
	peerStopped latch         // the peer, a dialer, opens no more streams: each GOAWAY of a dialer says so
	peerFinal   chan struct{} // closed when departed is true; nil while nothing waits for that
}

// notice returns the notice to send, or an error if this end has sent a GOAWAY.
func (g *goAwayState) notice(info GoAway) (GoAway, error) {
	if g.noticeSent || g.finalSent {
		return GoAway{}, ErrDraining
	}
	g.noticeSent = true
	g.draining.trip()
	info.LastStream, info.Status = frame.MaxVarint, 0
	return info, nil
}

// final returns the final GOAWAY to send, or an error if this end has said as
// much. lastRemote is the highest id that the peer has opened.
func (g *goAwayState) final(info GoAway, lastRemote uint64) (GoAway, error) {
	if g.endSent || g.finalSent && info.Status == 0 {
		return GoAway{}, ErrDraining
	}
	if !g.finalSent {
		g.finalSent, g.lastServed = true, lastRemote
	}
	g.draining.trip()
	info.LastStream = g.lastServed
	info.Status = min(info.Status, frame.MaxVarint)
	g.endSent = info.Status != 0
	return info, nil
}

// receive records a GOAWAY of the peer.
func (g *goAwayState) receive(info *GoAway) error {
	g.received++
	switch {
	case g.peer != nil && info.LastStream > g.peer.LastStream:
		return errors.New("raises the last stream")
	case g.received > maxGoAways:
		return &CloseError{Code: CloseRefusal + refusalExhausted, Reason: "too many GOAWAYs"}
	}
	g.peer = info
	g.draining.trip()
	if g.side == Acceptor {
		g.peerStopped.trip()
	}
	if g.departed() && g.peerFinal != nil {
		close(g.peerFinal)
		g.peerFinal = nil
	}
	return nil
}

// departed reports whether the peer serves no further streams: its last GOAWAY
// is more than a notice.
func (g *goAwayState) departed() bool { return g.peer != nil && !g.peer.Notice() }

// ended reports whether the peer has said that the session ends now.
func (g *goAwayState) ended() bool { return g.peer != nil && g.peer.Status != 0 }

// whenDeparted returns a channel that is closed when departed is true. It is
// closed already if the peer has sent no GOAWAY.
func (g *goAwayState) whenDeparted() <-chan struct{} {
	if g.peer == nil || g.departed() {
		ready := make(chan struct{})
		close(ready)
		return ready
	}
	if g.peerFinal == nil {
		g.peerFinal = make(chan struct{})
	}
	return g.peerFinal
}
