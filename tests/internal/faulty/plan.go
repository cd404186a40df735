package faulty

import (
	"math/rand/v2"
	"time"
)

// Kind is a kind of fault.
type Kind int

const (
	// Cut ends both directions gracefully (FIN): what was forwarded arrives.
	Cut Kind = iota
	// Reset ends both with RST, which may destroy on the way what was
	// forwarded.
	Reset
	// HalfOpen drops one direction from that byte on, including the end of the
	// connection. The other direction continues.
	HalfOpen
	// BlackHole drops both directions.
	BlackHole
	// Stall stops one direction for a while.
	Stall
	// Delay delays each read of one direction a little from then on.
	Delay

	kinds
)

func (k Kind) String() string {
	return [kinds]string{"cut", "reset", "half-open", "black hole", "stall", "delay"}[k]
}

// breaks reports whether a connection ends.
func (k Kind) breaks() bool { return k < Stall }

// direction is where bytes go.
type direction int

const (
	down direction = iota // from the server to the client
	up
)

// plan is the next fault of a connection.
type plan struct {
	kind      Kind
	direction direction
	after     int64         // bytes of that direction, counted from when the plan was made
	pause     time.Duration // of a stall or a delay
}

// The mix of kinds, in percent. Faults that are noticed late are rarer, because
// each takes seconds.
var mix = [kinds]int{Cut: 36, Reset: 26, HalfOpen: 8, BlackHole: 4, Stall: 10, Delay: 16}

// handshakeEnd is about where the HTTP upgrade and the HELLOs of a session end.
const handshakeEnd = 700

// draw makes a random plan. Some plans concern the handshake. The others pick a
// byte of the next most bytes, with all orders of magnitude equally likely.
func draw(r *rand.Rand, most int64) plan {
	p := plan{direction: direction(r.IntN(2))}
	for n := r.IntN(100); n >= mix[p.kind]; p.kind++ {
		n -= mix[p.kind]
	}
	switch {
	case r.IntN(5) == 0:
		p.after = r.Int64N(handshakeEnd)
	default:
		p.after = handshakeEnd + r.Int64N(most>>r.IntN(8)+1)
	}
	switch p.kind {
	case Stall:
		p.pause = 50*time.Millisecond + rand64(r, 3*time.Second)
	case Delay:
		p.pause = rand64(r, 10*time.Millisecond)
	}
	return p
}

func rand64(r *rand.Rand, below time.Duration) time.Duration {
	return time.Duration(r.Int64N(int64(below)))
}
