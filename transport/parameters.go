package transport

import (
	"fmt"
	"math"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
)

// Parameters bound what a session holds and how long it waits. The zero value of a
// field stands for its default.
type Parameters struct {
	// MaxStreams is how many streams the peer may have open at once. A stream
	// over it is refused, which the peer may safely try again. Default 1024.
	MaxStreams int
	// MaxMessage is the size in bytes of the largest message that is accepted.
	// A stream with a larger one is reset with ResetLimit. Default 4 MiB.
	MaxMessage int
	// MaxHeader is the size in bytes of the largest header or trailer that is
	// accepted. Default 16 KiB, at most MaxFrame.
	MaxHeader int
	// MaxFrame is the size in bytes of the largest frame payload that is
	// accepted; it decides how finely large messages interleave. Default 32
	// KiB, at most 64 KiB.
	MaxFrame int
	// InitialWindow is what the peer may send on a new stream before the
	// application reads, in bytes, each frame counted with 32 bytes more.
	// Default 64 KiB.
	InitialWindow int
	// MaxWindow is how far the window of a stream grows while its reader keeps
	// up, in bytes. Default 4 MiB.
	MaxWindow int
	// MaxBuffered bounds what the streams that the peer has open hold unread, in
	// bytes. InitialWindow is set aside for each of MaxStreams streams; windows
	// grow out of the rest, those of streams that this end opens as well. Default
	// that and 16 MiB. The package documentation counts what else there is.
	MaxBuffered int
	// WindowBudget, if set, bounds windows of several sessions together: they grow as long
	// as it has something left too.
	WindowBudget *Budget
	// MaxReassembly bounds the memory, in bytes, of messages that came in several frames,
	// from the second frame on until they are received: until Recv returns, or the use of
	// what RecvBorrowed has returned ends. When it is used up, one of them at a time goes on, up to
	// its end, and their senders wait. Default 32 MiB, or MaxMessage if that is more; at
	// least MaxMessage.
	MaxReassembly int
	// ReassemblyBudget, if set, bounds these messages of several sessions together: what a
	// session uses for them beyond 1 MiB is taken from it as well.
	ReassemblyBudget *Budget
	// MaxResets is how many streams a second the peer may open in vain, on average
	// over 10 s: it resets them before their end, they are over one of the limits
	// above, or OnStream refuses them. A peer that opens more is cut off with CloseRefusal+8. Default 1000, at
	// least 100.
	MaxResets int
	// MaxPings is how many PINGs a second the peer may send, on average over 10 s. A
	// peer that sends more is cut off with CloseRefusal+8. Default 100, which is the
	// least.
	MaxPings int
	// WriteQueue is how many bytes of frames wait for the link before Send
	// blocks. Default 128 KiB.
	WriteQueue int
	// Keepalive is the silence after which the peer is asked for a sign of
	// life; the peer's own wish counts if it is shorter. Default 15 s, so that a
	// loss is noticed well within a session's time to be resumed; from 1 s to 25 s,
	// as proxies cut what is silent for longer.
	Keepalive time.Duration
	// KeepaliveTimeout is how long that sign may take, but never more than the
	// keepalive, before the link counts as lost. Default 10 s.
	KeepaliveTimeout time.Duration
	// WriteTimeout is how long a single write may be stuck, of 64 KiB at the most or
	// one frame, before the link counts as lost: the peer does not read. Default 30 s.
	WriteTimeout time.Duration
	// HelloTimeout is how long the peer's HELLO may take. Default 10 s.
	HelloTimeout time.Duration
	// ResumeWindow is how long a session is kept whose link was lost; the peer's
	// own wish counts if it is shorter. Default 30 s; a negative one turns
	// resumption off. A dialer resumes only with OnDetached, an acceptor with Sessions.
	ResumeWindow time.Duration
	// ReplayLimit is how many bytes of frames are kept that the peer has not
	// acknowledged, to be sent again on the next link. When they are that many,
	// Send blocks. Default 1 MiB, at least 64 KiB.
	ReplayLimit int
	// Agent tells the peer which software this is. Default "parley-go".
	Agent string
}

// DefaultMaxMessage is the default of Parameters.MaxMessage in bytes.
const DefaultMaxMessage = 4 << 20

const (
	defaultGrowth = 16 << 20 // bytes by which all windows of a session may grow

	defaultReassembly = 32 << 20 // bytes of messages in pieces
	privateReassembly = 1 << 20  // of those, what each session has for itself

	maxFrameLimit = 64 << 10 // bytes; a frame has to fit into a read buffer
	maxSetting    = 1 << 30  // an int has 32 bits on some machines
)

// Validate returns an error that names the first field that is out of range, if any.
func (p Parameters) Validate() error {
	_, err := p.withDefaults()
	return err
}

// withDefaults returns p with its zero values replaced, or what is wrong with it.
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
		{"MaxHeader", &p.MaxHeader, 16 << 10, int(d.MaxHeader), maxFrameLimit},
		{"InitialWindow", &p.InitialWindow, 64 << 10, int(d.InitialWindow), maxSetting},
		{"MaxWindow", &p.MaxWindow, 4 << 20, int(d.InitialWindow), maxSetting},
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
	reserved := p.MaxStreams * p.InitialWindow
	if p.MaxBuffered == 0 {
		p.MaxBuffered = reserved + defaultGrowth
	}
	switch {
	case p.MaxHeader > p.MaxFrame:
		return p, fmt.Errorf("transport: Parameters.MaxHeader is %d, must not exceed MaxFrame, %d", p.MaxHeader, p.MaxFrame)
	case p.MaxReassembly < p.MaxMessage || p.MaxReassembly > maxSetting:
		return p, fmt.Errorf("transport: Parameters.MaxReassembly is %d, must be from MaxMessage, %d, to %d", p.MaxReassembly, p.MaxMessage, maxSetting)
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
