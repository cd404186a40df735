package pipe

import (
	"fmt"
	"sync"
	"time"
)

// Config configures a pipe. The zero value delivers messages at once.
type Config struct {
	// Latency is how long a message is on the way, in both directions.
	Latency time.Duration

	// Capacity is how many bytes may be on the way in one direction before
	// WriteMessage blocks; 64 KiB if zero. Bytes are on the way until
	// NextReader returns their message. A message larger than the capacity is
	// sent alone, and an empty one counts as one byte.
	Capacity int

	// ReadLimit is the size in bytes of the largest message that may be read,
	// as for a WebSocket: a larger one makes NextReader fail with
	// transport.CloseMessageTooBig. Zero means no limit.
	ReadLimit int
}

const defaultCapacity = 64 << 10

// New makes a link and returns its two ends. It panics if a field of cfg is
// negative.
func New(cfg Config) (dialer, acceptor *End) {
	if cfg.Latency < 0 || cfg.Capacity < 0 || cfg.ReadLimit < 0 {
		panic(fmt.Sprintf("pipe: negative field in %+v", cfg))
	}
	if cfg.Capacity == 0 {
		cfg.Capacity = defaultCapacity
	}
	w := &wire{cfg: cfg, changed: make(chan struct{})}
	dialer = &End{wire: w, cutBytes: never, cutMessages: never}
	acceptor = &End{wire: w, cutBytes: never, cutMessages: never}
	dialer.peer, acceptor.peer = acceptor, dialer
	return dialer, acceptor
}

// wire is what the two ends of a link share.
type wire struct {
	cfg Config

	mu      sync.Mutex    // guards what follows and every field of both ends
	changed chan struct{} // closed and replaced whenever something changed
}

// notify wakes all that wait for a change. The caller holds mu.
func (w *wire) notify() {
	close(w.changed)
	w.changed = make(chan struct{})
}

// packet is what one end sends to its peer: a message, the end of the link, or
// a message that the end of the link interrupts.
type packet struct {
	data []byte
	end  error // what the receiver gets after data, if it is the last packet
	at   time.Time
}

// isEnd reports whether p has nothing of a message.
func (p packet) isEnd() bool { return p.end != nil && len(p.data) == 0 }

// cost returns how much of the capacity p uses.
func (p packet) cost() int {
	if p.end != nil {
		return 0
	}
	return max(len(p.data), 1)
}
