package transport

import (
	"fmt"
	"math"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
)

// Parameters bound what a session holds and how long it waits. The zero value
// of a field is its default.
type Parameters struct {
	// MaxStreams is how many streams the peer may have open at once. A stream
	// over the limit is refused, and the peer may safely retry it. Default
	// 1024.
	MaxStreams int
	// MaxMessage is the size in bytes of the largest message that is accepted.
	// A stream with a larger one is reset with ResetLimit. Default 4 MiB.
	MaxMessage int
	// MaxHeader is the size in bytes of the largest header or trailer that is
	// accepted. Default 16 KiB, at most MaxFrame.
	MaxHeader int
	// MaxFrame is the size in bytes of the largest frame payload that is
	// accepted. It decides how finely large messages interleave. Default 32
	// KiB, at most 64 KiB.
	MaxFrame int
	// InitialWindow is what the peer may send on a new stream before the
	// application reads, in bytes. Each frame counts 32 bytes more. Default 64
	// KiB.
	InitialWindow int
	// MaxWindow is how far the window of a stream grows while its reader keeps
	// up, in bytes. Default 32 MiB.
	MaxWindow int
	// MaxBuffered bounds the unread bytes of the streams that the peer has
	// opened. InitialWindow is reserved for each of MaxStreams streams. All
	// windows, those of streams that this end opens as well, grow out of the
	// rest. Default 64 MiB more than what is reserved. The package
	// documentation lists what else a session holds.
	MaxBuffered int
	// WindowBudget, if set, bounds the growth of windows over several sessions
	// together.
	WindowBudget *Budget
	// MaxReassembly bounds the memory, in bytes, of messages of several frames.
	// It counts from the second frame on until Recv returns, or until the
	// message that RecvBorrowed has returned is no longer used. When it is used
	// up, one message at a time continues, up to its end, and the senders of
	// the others wait. Default 32 MiB, or MaxMessage if that is more; at least
	// MaxMessage.
	MaxReassembly int
	// ReassemblyBudget, if set, bounds these messages over several sessions
	// together. A session takes from it what it uses beyond 1 MiB.
	ReassemblyBudget *Budget
	// MaxResets is how many streams a second the peer may open and abort, on
	// average over 10 s: it resets them before their end, they are over one of
	// the limits above, or OnStream refuses them. A peer that opens more is cut
	// off with CloseRefusal+8. Default 1000, at least 100.
	MaxResets int
	// MaxPings is how many PINGs a second the peer may send, on average over 10
	// s. A peer that sends more is cut off with CloseRefusal+8. Default 100, at
	// least 100.
	MaxPings int
	// WriteQueue is how many bytes of frames wait for the link before Send
	// blocks. Default 128 KiB.
	WriteQueue int
	// Keepalive is the silence after which this end sends a PING. The peer's
	// value counts if it is shorter. Default 15 s, so that a loss is noticed
	// well within the time to resume; from 1 s to 25 s, because proxies close a
	// connection that is silent for longer.
	Keepalive time.Duration
	// KeepaliveTimeout is how long the answer to that PING may take before the
	// link counts as lost, but never more than the keepalive. Default 10 s.
	KeepaliveTimeout time.Duration
	// WriteTimeout is how long a single write, of 64 KiB at most or one frame,
	// may take before the link counts as lost: the peer does not read. Default
	// 30 s.
	WriteTimeout time.Duration
	// HelloTimeout is how long the peer's HELLO may take. Default 10 s.
	HelloTimeout time.Duration
	// ResumeWindow is how long a detached session is kept. The peer's value
	// counts if it is shorter. Default 30 s; a negative value turns resumption
	// off. A dialer resumes only with OnDetached, an acceptor only with
	// Sessions.
	ResumeWindow time.Duration
	// ReplayLimit is how many bytes of frames that the peer has not
	// acknowledged a session may keep in any case, to be sent again on the next
	// link. As many are in flight at first. Then Send blocks when as many are
	// in flight as the path holds: rate times round trip. Default 1 MiB, at
	// least 64 KiB.
	ReplayLimit int
	// MaxReplay is how many of these bytes a session keeps at most where the
	// path holds more than ReplayLimit. Default 32 MiB, or ReplayLimit if that
	// is more; ReplayLimit at least.
	MaxReplay int
	// ReplayBudget, if set, bounds what several sessions together keep beyond
	// the ReplayLimit of each.
	ReplayBudget *Budget
	// Agent tells the peer which software this is. Default "parley-go".
	Agent string
}

// DefaultMaxMessage is the default of Parameters.MaxMessage in bytes.
const DefaultMaxMessage = 4 << 20

// DefaultMaxHeader is the default of Parameters.MaxHeader in bytes.
const DefaultMaxHeader = 16 << 10

const (
	defaultGrowth = 64 << 20 // bytes by which all windows of a session may grow
	defaultReplay = 32 << 20 // bytes that a session keeps at most to be sent again

	defaultReassembly = 32 << 20 // bytes of messages of several frames
	privateReassembly = 1 << 20  // bytes of them that each session has for itself

	maxFrameLimit = 64 << 10 // bytes; a frame must fit into a read buffer
	maxSetting    = 1 << 30  // fits an int of 32 bits
)

// Validate returns an error that names the first field that is out of range, if
// any.
func (p Parameters) Validate() error {
	_, err := p.withDefaults()
	return err
}

// withDefaults returns p with defaults for its zero values, or an error that
// names the first field that is out of range.
func (p Parameters) withDefaults() (Parameters, error) {
	d := &frame.HelloDefaults
	ints := []struct {
		name         string
		value        *int
		preset       int
		least, limit int
	}{
		{"MaxStreams", &p.MaxStreams, 1024, int(d.MaxStreams), maxSetting},
		{"MaxMessage", &p.MaxMessage, DefaultMaxMessage, int(d.MaxMessage), maxSetting},
		{"MaxFrame", &p.MaxFrame, 32 << 10, int(d.MaxFrame), maxFrameLimit},
		{"MaxHeader", &p.MaxHeader, DefaultMaxHeader, int(d.MaxHeader), maxFrameLimit},
		{"InitialWindow", &p.InitialWindow, 64 << 10, int(d.InitialWindow), maxSetting},
		{"MaxWindow", &p.MaxWindow, 32 << 20, int(d.InitialWindow), maxSetting},
		{"MaxResets", &p.MaxResets, 1000, 100, maxSetting},
		{"MaxPings", &p.MaxPings, 100, 100, maxSetting},
		{"WriteQueue", &p.WriteQueue, 128 << 10, 1, maxSetting},
		{"ReplayLimit", &p.ReplayLimit, 1 << 20, int(d.ReplayLimit), maxSetting},
	}
	for _, f := range ints {
		if *f.value == 0 {
			*f.value = f.preset
		}
		if *f.value < f.least || *f.value > f.limit {
			return p, fmt.Errorf("transport: Parameters.%s is %d, must be from %d to %d", f.name, *f.value, f.least, f.limit)
		}
	}
	if p.MaxStreams > (math.MaxInt-defaultGrowth)/p.InitialWindow {
		return p, fmt.Errorf("transport: Parameters.MaxStreams is %d, too many for windows of %d bytes", p.MaxStreams, p.InitialWindow)
	}
	if p.MaxReassembly == 0 {
		p.MaxReassembly = max(defaultReassembly, p.MaxMessage)
	}
	if p.MaxReplay == 0 {
		p.MaxReplay = max(defaultReplay, p.ReplayLimit)
	}
	reserved := p.MaxStreams * p.InitialWindow
	if p.MaxBuffered == 0 {
		p.MaxBuffered = reserved + defaultGrowth
	}
	switch {
	case p.MaxHeader > p.MaxFrame:
		return p, fmt.Errorf("transport: Parameters.MaxHeader is %d, must not exceed MaxFrame, %d", p.MaxHeader, p.MaxFrame)
	case p.MaxReassembly < p.MaxMessage || p.MaxReassembly > maxSetting:
		return p, fmt.Errorf("transport: Parameters.MaxReassembly is %d, must be from MaxMessage, %d, to %d", p.MaxReassembly, p.MaxMessage, maxSetting)
	case p.MaxReplay < p.ReplayLimit || p.MaxReplay > maxSetting:
		return p, fmt.Errorf("transport: Parameters.MaxReplay is %d, must be from ReplayLimit, %d, to %d", p.MaxReplay, p.ReplayLimit, maxSetting)
	case p.MaxBuffered < reserved:
		return p, fmt.Errorf("transport: Parameters.MaxBuffered is %d, must be at least MaxStreams times InitialWindow, %d", p.MaxBuffered, reserved)
	}
	p.MaxWindow = max(p.MaxWindow, p.InitialWindow)
	if p.Agent == "" {
		p.Agent = "parley-go"
	}
	return p.withDurations()
}

func (p Parameters) withDurations() (Parameters, error) {
	durations := []struct {
		name        string
		value       *time.Duration
		preset      time.Duration
		least, most time.Duration
	}{
		{"Keepalive", &p.Keepalive, 15 * time.Second, frame.MinKeepalive * time.Millisecond, frame.MaxKeepalive * time.Millisecond},
		{"KeepaliveTimeout", &p.KeepaliveTimeout, 10 * time.Second, time.Millisecond, time.Hour},
		{"WriteTimeout", &p.WriteTimeout, 30 * time.Second, time.Millisecond, time.Hour},
		{"HelloTimeout", &p.HelloTimeout, 10 * time.Second, time.Millisecond, time.Hour},
		{"ResumeWindow", &p.ResumeWindow, 30 * time.Second, math.MinInt64, 24 * time.Hour},
	}
	for _, f := range durations {
		if *f.value == 0 {
			*f.value = f.preset
		}
		if *f.value < f.least || *f.value > f.most {
			return p, fmt.Errorf("transport: Parameters.%s is %v, must be from %v to %v", f.name, *f.value, f.least, f.most)
		}
	}
	return p, nil
}
