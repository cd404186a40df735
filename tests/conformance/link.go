package conformance

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
)

// link is one WebSocket of a case.
type link struct {
	*socket
	number  int // from 1
	session *session
	mute    *atomic.Bool // no PONG is sent by itself
	helloed atomic.Bool  // the peer's HELLO has come
	spoken  bool         // the runner has sent something
	closing atomic.Bool  // the runner has sent a close frame, or the link has ended
	done    chan struct{}

	pongs   sync.Mutex
	opened  bool     // the runner's HELLO has been sent: PONG may follow
	waiting [][]byte // PONGs that wait for that
}

func startLink(s *socket, number int, session *session, mute *atomic.Bool) *link {
	l := &link{socket: s, number: number, session: session, mute: mute, done: make(chan struct{})}
	go l.read()
	return l
}

// read handles what arrives, up to the end of the link.
func (l *link) read() {
	defer close(l.done)
	for {
		m, err := l.socket.read()
		if err != nil {
			l.ended(err)
			return
		}
		switch m.op {
		case opPing:
			if err := l.write(l.encode(opPong, m.payload)); err != nil {
				l.ended(err)
				return
			}
		case opPong:
		case opClose:
			l.closed(m.payload)
			return
		case opText:
			l.session.breaks(fmt.Errorf("a text message: %q (L1)", m.payload[:min(40, len(m.payload))]))
		default:
			if err := l.take(m.payload); err != nil {
				l.session.breaks(err)
			}
		}
	}
}

// take handles a link message.
func (l *link) take(msg []byte) error {
	frames, err := parseFrames(msg)
	for _, f := range frames {
		if !l.helloed.Load() && f.kind != typeHello {
			return fmt.Errorf("%s before HELLO (N1)", &f)
		}
		if l.helloed.Load() && f.kind == typeHello {
			return fmt.Errorf("a second HELLO (N2)")
		}
		l.helloed.Store(true)
		if err := l.session.take(f, l.number); err != nil {
			return err
		}
		if f.kind == typePing && !l.mute.Load() {
			l.pong(f.payload)
		}
	}
	return err
}

// pong answers a PING, at once or behind the runner's HELLO.
func (l *link) pong(payload []byte) {
	f := frame{kind: typePong, payload: payload}
	msg := l.encode(opBinary, f.append(nil))
	l.pongs.Lock()
	defer l.pongs.Unlock()
	if !l.opened {
		l.waiting = append(l.waiting, msg)
		return
	}
	_ = l.write(msg) // if the link has ended, read returns why
}

// open says that the runner's HELLO has been sent.
func (l *link) open() error {
	l.pongs.Lock()
	defer l.pongs.Unlock()
	l.opened = true
	for _, msg := range l.waiting {
		if err := l.write(msg); err != nil && !l.wasCut() {
			return err
		}
	}
	l.waiting = nil
	return nil
}

// ended records an end without a close frame.
func (l *link) ended(err error) {
	if !l.wasCut() {
		l.session.add(&event{kind: "cut", link: l.number, reason: err.Error()})
	}
	l.closing.Store(true)
	_ = l.conn.Close() // the link is of no use
}

// closed records a close frame, and answers it.
func (l *link) closed(payload []byte) {
	e := &event{kind: "close", link: l.number, code: 1005}
	if len(payload) >= 2 {
		e.code, e.reason = uint64(binary.BigEndian.Uint16(payload)), string(payload[2:])
	}
	if e.code > 4100 && e.code < 4116 { // what a script in a browser sends for 1000+m
		e.code -= 3100
	}
	if !l.closing.Swap(true) {
		_ = l.write(l.encode(opClose, payload[:min(2, len(payload))])) // the peer may have gone
		l.session.add(e)
	}
	_ = l.conn.Close() // both have closed
}
