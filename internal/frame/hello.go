package frame

import "bytes"

// Keys of the HELLO fields (PROTOCOL.md, section "HELLO").
const (
	helloSession       = 1
	helloMaxFrame      = 2
	helloToken         = 3
	helloMaxMessage    = 4
	helloAgent         = 5
	helloMaxHeader     = 6
	helloReplaces      = 7
	helloMaxStreams    = 8
	helloReplacesToken = 9
	helloInitialWindow = 10
	helloKeepalive     = 12
	helloResumeWindow  = 14
	helloReplayLimit   = 16
	helloReceived      = 18
	helloResumed       = 20
	helloAttempt       = 22
)

// Bounds of the fields of a HELLO.
const (
	MaxHelloLen   = 4096    // bytes of the whole payload
	MaxFrameLimit = 1 << 20 // bytes; the highest max_frame
	MaxAgentLen   = 128     // bytes
	TokenLen      = 32      // bytes
	MinSessionLen = 16      // bytes
	MaxSessionLen = 64      // bytes
	MinKeepalive  = 1_000   // milliseconds
	MaxKeepalive  = 25_000  // milliseconds
)

// Answer is an acceptor's answer to a dialer that asks to resume a session.
type Answer uint8

const (
	// NoAnswer: the dialer did not ask.
	NoAnswer Answer = iota
	// SessionUnknown: the link carries a new session.
	SessionUnknown
	// SessionResumed: both ends continue where they were.
	SessionResumed
)

// Hello is the first frame in each direction of a link. The zero value of a
// setting means the protocol's default, which ParseHello fills in.
type Hello struct {
	MaxFrame      uint64 // bytes of the largest payload of a frame that is accepted
	MaxMessage    uint64 // bytes of the largest message that is accepted
	MaxHeader     uint64 // bytes of the largest OPEN, HEADER or END payload that is accepted
	MaxStreams    uint64 // streams that the peer may have open at once
	InitialWindow uint64 // cost that the peer may spend on a stream before any WINDOW
	Keepalive     uint64 // milliseconds of silence after which a sign of life is due
	ResumeWindow  uint64 // milliseconds for which a detached session is kept; 0: none
	ReplayLimit   uint64 // bytes of unacknowledged frames that are kept as a sender

	Session  []byte // acceptor: of this link; dialer: to be resumed
	Token    []byte // acceptor: for the next resumption; dialer: for this one
	Received uint64 // sequenced frames that have arrived in the session
	Attempt  uint64 // dialer only: which attempt to resume the session this is, from 1
	Answer   Answer // acceptor only

	// A dialer that starts a new session names the one that it has given up.
	Replaces      []byte
	ReplacesToken []byte // the last token that it got for that session

	Agent string // which software this is
}

// HelloDefaults are the settings in force until the peer's HELLO is read. A
// HELLO may raise them, and lower only the keepalive.
var HelloDefaults = Hello{
	MaxFrame:      16 << 10,
	MaxMessage:    64 << 10,
	MaxHeader:     4 << 10,
	MaxStreams:    16,
	InitialWindow: 16 << 10,
	Keepalive:     MaxKeepalive,
	ReplayLimit:   64 << 10,
}

// setting connects the key of an integer setting with its field in a Hello.
type setting struct {
	key    uint64
	value  *uint64
	least  uint64
	most   uint64
	preset uint64 // in force when the setting is absent
}

func (h *Hello) settings() [8]setting {
	d := &HelloDefaults
	return [8]setting{
		{helloMaxFrame, &h.MaxFrame, d.MaxFrame, MaxFrameLimit, d.MaxFrame},
		{helloMaxMessage, &h.MaxMessage, d.MaxMessage, MaxVarint, d.MaxMessage},
		{helloMaxHeader, &h.MaxHeader, d.MaxHeader, MaxFrameLimit, d.MaxHeader},
		{helloMaxStreams, &h.MaxStreams, d.MaxStreams, MaxVarint, d.MaxStreams},
		{helloInitialWindow, &h.InitialWindow, d.InitialWindow, MaxVarint, d.InitialWindow},
		{helloKeepalive, &h.Keepalive, MinKeepalive, MaxKeepalive, d.Keepalive},
		{helloResumeWindow, &h.ResumeWindow, 0, MaxVarint, 0},
		{helloReplayLimit, &h.ReplayLimit, d.ReplayLimit, MaxVarint, d.ReplayLimit},
	}
}

// Append appends the HELLO frame. It leaves out settings that are 0 or the
// default.
func (h *Hello) Append(dst []byte) []byte {
	var p []byte
	for _, s := range h.settings() {
		if *s.value != 0 && *s.value != s.preset {
			p = AppendUintField(p, s.key, *s.value)
		}
	}
	if h.Session != nil {
		p = AppendBytesField(p, helloSession, h.Session)
	}
	if h.Token != nil {
		p = AppendBytesField(p, helloToken, h.Token)
	}
	if h.Replaces != nil {
		p = AppendBytesField(p, helloReplaces, h.Replaces)
	}
	if h.ReplacesToken != nil {
		p = AppendBytesField(p, helloReplacesToken, h.ReplacesToken)
	}
	if h.Received != 0 {
		p = AppendUintField(p, helloReceived, h.Received)
	}
	if h.Attempt != 0 {
		p = AppendUintField(p, helloAttempt, h.Attempt)
	}
	if h.Answer != NoAnswer {
		p = AppendUintField(p, helloResumed, uint64(h.Answer-SessionUnknown))
	}
	if h.Agent != "" {
		p = AppendBytesField(p, helloAgent, CutText(h.Agent, MaxAgentLen))
	}
	return Append(dst, Header{Type: TypeHello}, p)
}

// ParseHello reads the payload of a HELLO frame, with defaults for settings
// that it does not have. The result keeps nothing of p.
func ParseHello(p []byte) (Hello, error) {
	if len(p) > MaxHelloLen {
		return Hello{}, ErrPayload
	}
	var h Hello
	for _, s := range h.settings() {
		*s.value = s.preset
	}
	var once Once
	for len(p) > 0 {
		f, rest, err := ParseField(p)
		if err != nil {
			return Hello{}, err
		}
		if !h.set(f) || !once.First(f.Key) {
			return Hello{}, ErrField
		}
		p = rest
	}
	if !h.consistent() {
		return Hello{}, ErrField
	}
	return h, nil
}

// consistent reports whether the fields fit together.
func (h *Hello) consistent() bool {
	return h.MaxHeader <= h.MaxFrame &&
		(h.Session == nil) == (h.Token == nil) &&
		(h.Replaces == nil) == (h.ReplacesToken == nil) &&
		(h.Answer != SessionResumed || h.Session != nil)
}

// set sets one field and reports whether its value is allowed.
func (h *Hello) set(f Field) bool {
	for _, s := range h.settings() {
		if s.key == f.Key {
			*s.value = f.Uint
			return f.Uint >= s.least && f.Uint <= s.most
		}
	}
	switch f.Key {
	case helloSession:
		h.Session = bytes.Clone(f.Bytes)
		return isSessionID(f.Bytes)
	case helloToken:
		h.Token = bytes.Clone(f.Bytes)
		return len(f.Bytes) == TokenLen
	case helloReplaces:
		h.Replaces = bytes.Clone(f.Bytes)
		return isSessionID(f.Bytes)
	case helloReplacesToken:
		h.ReplacesToken = bytes.Clone(f.Bytes)
		return len(f.Bytes) == TokenLen
	case helloAgent:
		h.Agent = Text(f.Bytes)
		return len(f.Bytes) <= MaxAgentLen
	case helloReceived:
		h.Received = f.Uint
	case helloAttempt:
		h.Attempt = f.Uint
	case helloResumed:
		h.Answer = SessionUnknown + Answer(f.Uint&1)
		return f.Uint <= 1
	}
	return true
}

func isSessionID(id []byte) bool { return len(id) >= MinSessionLen && len(id) <= MaxSessionLen }
