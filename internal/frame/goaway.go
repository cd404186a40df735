package frame

import (
	"math"
	"time"
)

// Keys of the GOAWAY fields (PROTOCOL.md, section "GOAWAY").
const (
	goAwayReason     = 1
	goAwayLastStream = 2
	goAwayAddress    = 3
	goAwayStatus     = 4
	goAwayDelay      = 6
)

// GoAway announces that the sender will serve no further streams of the peer.
type GoAway struct {
	LastStream uint64 // the highest id of the peer's streams that is served
	Status     uint64 // a status number of the application; 0: none
	Delay      uint64 // milliseconds to wait before reconnecting, see Wait
	Reason     string // for people, at most MaxReasonLen bytes
	Address    string // where to reconnect to; empty: the same place
}

// Notice reports whether g is only a notice: the sender still serves streams,
// and a final GOAWAY follows.
func (g *GoAway) Notice() bool { return g.LastStream == MaxVarint && g.Status == 0 }

// Wait returns Delay as a time.Duration. A longer delay becomes the longest
// one.
func (g *GoAway) Wait() time.Duration {
	const longest = math.MaxInt64 / uint64(time.Millisecond)
	return time.Duration(min(g.Delay, longest)) * time.Millisecond
}

// Append appends the GOAWAY frame.
func (g *GoAway) Append(dst []byte) []byte {
	p := AppendUintField(nil, goAwayLastStream, g.LastStream)
	if g.Status != 0 {
		p = AppendUintField(p, goAwayStatus, g.Status)
	}
	if g.Delay != 0 {
		p = AppendUintField(p, goAwayDelay, g.Delay)
	}
	if g.Reason != "" {
		p = AppendBytesField(p, goAwayReason, CutText(g.Reason, MaxReasonLen))
	}
	if g.Address != "" {
		p = AppendBytesField(p, goAwayAddress, CutText(g.Address, MaxReasonLen))
	}
	return Append(dst, Header{Type: TypeGoAway}, p)
}

// ParseGoAway reads the payload of a GOAWAY frame. The result keeps nothing of
// p.
func ParseGoAway(p []byte) (GoAway, error) {
	var g GoAway
	var once Once
	for len(p) > 0 {
		f, rest, err := ParseField(p)
		if err != nil {
			return GoAway{}, err
		}
		if !g.set(f) || !once.First(f.Key) {
			return GoAway{}, ErrField
		}
		p = rest
	}
	return g, nil
}

// set sets one field and reports whether its value is allowed.
func (g *GoAway) set(f Field) bool {
	switch f.Key {
	case goAwayLastStream:
		g.LastStream = f.Uint
	case goAwayStatus:
		g.Status = f.Uint
	case goAwayDelay:
		g.Delay = f.Uint
	case goAwayReason:
		g.Reason = Text(f.Bytes)
	case goAwayAddress:
		g.Address = Text(f.Bytes)
	}
	known := f.Key == goAwayReason || f.Key == goAwayAddress
	return !known || len(f.Bytes) <= MaxReasonLen
}
