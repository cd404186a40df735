package transport

import (
	"crypto/subtle"
	"fmt"
	"math"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
)

// Config bounds a session. The zero value of a field stands for its default;
// NewSession refuses a value out of range with an error that names the field.
type Config struct {
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
	// Sessions, at an acceptor, is where sessions are found again.
	Sessions *Sessions
	// Principal, at an acceptor, says whose link this is. Only a link of the same
	// principal resumes the session, or replaces it.
	Principal string
	// SamePrincipal, if set, reports whether a link with one Principal may resume or
	// replace a session that began with another. Default: they are equal. It must not
	// block, and use neither of the sessions.
	SamePrincipal func(began, resuming string) bool
	// Owner, at an acceptor, is whom Sessions counts the session for while it has no
	// link. Default: Principal.
	Owner string
	// Predecessor, at a dialer, names a session that was lost and given up, for which this
	// one is the successor: an acceptor that still keeps it ends it.
	Predecessor *Predecessor
	// OnUnknownPredecessor, if set, at an acceptor, is called when a dialer's new session
	// replaces one that Sessions does not have, for others that may have it
	// (EndPredecessor). The
	// dialer has authenticated as principal; that r is true has not been checked. It must
	// not block.
	OnUnknownPredecessor func(r Predecessor, principal string)
	// OnDetached is called when the link was lost and the session waits for another: a
	// dialer, which needs OnDetached to resume at all, goes on by Resume. OnResumed or
	// OnEnd follows. It must not block.
	OnDetached func(s *Session, err error)
	// OnResumed, if set, is called when the session goes on with a new link. It
	// must not block.
	OnResumed func(s *Session)
	// OnHello, if set, is called when the peer has greeted: from then on the
	// session is known to be a new one. It must not block.
	OnHello func(s *Session)
	// OnGoAway, if set, is called when the peer announces that it goes away. It
	// must not block.
	OnGoAway func(s *Session)
	// Agent tells the peer which software this is. Default "parley-go".
	Agent string
	// OnStream, if set, is given each stream that the peer opens, in place of
	// Accept, with the header that it was opened with, which is valid until
	// OnStream returns. It runs on the reading goroutine: it must not block, nor
	// close the session. A stream that it returns an error for is reset with that,
	// and counts as opened in vain.
	OnStream func(st *Stream, header []byte) *ResetError
	// Go, if set, runs f on a goroutine of its own, as the go statement does: one that
	// has run the like before has the stack for it. A session writes on it whenever
	// it has something to write. Go must not block.
	Go func(f func())
	// OnEnd, if set, is called once when the session has ended, with the reason.
	// It must not block, nor close the session.
	OnEnd func(err error)
}

// DefaultMaxMessage is the default of Config.MaxMessage in bytes.
const DefaultMaxMessage = 4 << 20

const (
	defaultGrowth = 16 << 20 // bytes by which all windows of a session may grow

	defaultUnfinished = 32 << 20 // bytes of messages in pieces
	ownUnfinished     = 1 << 20  // of those, what each session has for itself

	maxFrameLimit = 64 << 10 // bytes; a frame has to fit into a read buffer
	maxSetting    = 1 << 30  // an int has 32 bits on some machines
)

// Validate names the first field that is out of range.
func (c Config) Validate() error {
	_, err := c.withDefaults()
	return err
}

// withDefaults returns c with its zero values replaced, or what is wrong with it.
func (c Config) withDefaults() (Config, error) {
	d := &frame.HelloDefaults
	ints := []struct {
		name         string
		value        *int
		preset       int
		least, limit int
	}{
		{"MaxStreams", &c.MaxStreams, 1024, int(d.MaxStreams), maxSetting},
		{"MaxMessage", &c.MaxMessage, DefaultMaxMessage, int(d.MaxMessage), maxSetting},
		{"MaxFrame", &c.MaxFrame, 32 << 10, int(d.MaxFrame), maxFrameLimit},
		{"MaxHeader", &c.MaxHeader, 16 << 10, int(d.MaxHeader), maxFrameLimit},
		{"InitialWindow", &c.InitialWindow, 64 << 10, int(d.InitialWindow), maxSetting},
		{"MaxWindow", &c.MaxWindow, 4 << 20, int(d.InitialWindow), maxSetting},
		{"MaxResets", &c.MaxResets, 1000, 100, maxSetting},
		{"MaxPings", &c.MaxPings, 100, 100, maxSetting},
		{"WriteQueue", &c.WriteQueue, 128 << 10, 1, maxSetting},
		{"ReplayLimit", &c.ReplayLimit, 1 << 20, int(d.ReplayLimit), maxSetting},
	}
	for _, f := range ints {
		if *f.value == 0 {
			*f.value = f.preset
		}
		if *f.value < f.least || *f.value > f.limit {
			return c, fmt.Errorf("transport: Config.%s is %d, must be from %d to %d", f.name, *f.value, f.least, f.limit)
		}
	}
	if c.MaxStreams > (math.MaxInt-defaultGrowth)/c.InitialWindow {
		return c, fmt.Errorf("transport: Config.MaxStreams is %d, too many for windows of %d bytes", c.MaxStreams, c.InitialWindow)
	}
	if c.MaxReassembly == 0 {
		c.MaxReassembly = max(defaultUnfinished, c.MaxMessage)
	}
	reserved := c.MaxStreams * c.InitialWindow
	if c.MaxBuffered == 0 {
		c.MaxBuffered = reserved + defaultGrowth
	}
	switch {
	case c.MaxHeader > c.MaxFrame:
		return c, fmt.Errorf("transport: Config.MaxHeader is %d, must not exceed MaxFrame, %d", c.MaxHeader, c.MaxFrame)
	case c.MaxReassembly < c.MaxMessage || c.MaxReassembly > maxSetting:
		return c, fmt.Errorf("transport: Config.MaxReassembly is %d, must be from MaxMessage, %d, to %d", c.MaxReassembly, c.MaxMessage, maxSetting)
	case c.MaxBuffered < reserved:
		return c, fmt.Errorf("transport: Config.MaxBuffered is %d, must be at least MaxStreams times InitialWindow, %d", c.MaxBuffered, reserved)
	}
	c.MaxWindow = max(c.MaxWindow, c.InitialWindow)
	if c.Agent == "" {
		c.Agent = "parley-go"
	}
	return c.withDurations()
}

func (c Config) withDurations() (Config, error) {
	durations := []struct {
		name        string
		value       *time.Duration
		preset      time.Duration
		least, most time.Duration
	}{
		{"Keepalive", &c.Keepalive, 15 * time.Second, frame.MinKeepalive * time.Millisecond, frame.MaxKeepalive * time.Millisecond},
		{"KeepaliveTimeout", &c.KeepaliveTimeout, 10 * time.Second, time.Millisecond, time.Hour},
		{"WriteTimeout", &c.WriteTimeout, 30 * time.Second, time.Millisecond, time.Hour},
		{"HelloTimeout", &c.HelloTimeout, 10 * time.Second, time.Millisecond, time.Hour},
		{"ResumeWindow", &c.ResumeWindow, 30 * time.Second, math.MinInt64, 24 * time.Hour},
	}
	for _, f := range durations {
		if *f.value == 0 {
			*f.value = f.preset
		}
		if *f.value < f.least || *f.value > f.most {
			return c, fmt.Errorf("transport: Config.%s is %v, must be from %v to %v", f.name, *f.value, f.least, f.most)
		}
	}
	return c, nil
}

// isOf reports whether a link of a principal may resume the session.
func (c *Config) isOf(principal string) bool {
	if c.SamePrincipal != nil {
		return c.SamePrincipal(c.Principal, principal)
	}
	return subtle.ConstantTimeCompare([]byte(c.Principal), []byte(principal)) == 1
}

func (c *Config) owner() string {
	if c.Owner != "" {
		return c.Owner
	}
	return c.Principal
}

// resumes tells whether this end wants its sessions to be resumed.
func (c *Config) resumes(side Side) bool {
	able := c.Sessions != nil
	if side == Dialer {
		able = c.OnDetached != nil
	}
	return able && c.ResumeWindow > 0
}

// hello returns what this end tells the peer about itself.
func (c *Config) hello(side Side) frame.Hello {
	h := frame.Hello{
		MaxFrame:      uint64(c.MaxFrame),
		MaxMessage:    uint64(c.MaxMessage),
		MaxHeader:     uint64(c.MaxHeader),
		MaxStreams:    uint64(c.MaxStreams),
		InitialWindow: uint64(c.InitialWindow),
		Keepalive:     uint64(c.Keepalive.Milliseconds()),
		Agent:         c.Agent,
	}
	if c.resumes(side) {
		h.ResumeWindow = uint64(c.ResumeWindow.Milliseconds())
		h.ReplayLimit = uint64(c.ReplayLimit)
	}
	return h
}
