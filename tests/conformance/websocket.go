package conformance

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// The opcodes of WebSocket frames.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

// socket is a WebSocket by hand: the runner's end, which can break every rule.
type socket struct {
	conn  net.Conn
	in    *bufio.Reader
	masks bool // the runner has dialed

	mu     sync.Mutex
	budget int // bytes that may still be read before the socket is cut; -1: no bound
	cutRaw bool
}

func newSocket(conn net.Conn, in *bufio.Reader, dialed bool) *socket {
	s := &socket{conn: conn, masks: dialed, budget: -1}
	s.in = bufio.NewReader(&metered{s: s, in: in})
	return s
}

// metered reads no more than the budget of a socket, and cuts it then.
type metered struct {
	s  *socket
	in *bufio.Reader
}

func (m *metered) Read(p []byte) (int, error) {
	if _, err := m.in.Peek(1); err != nil { // what arrives while this waits counts for a budget that is set meanwhile
		return 0, err
	}
	m.s.mu.Lock()
	budget := m.s.budget
	m.s.mu.Unlock()
	if budget == 0 {
		m.s.cut()
		return 0, io.ErrUnexpectedEOF
	}
	if budget > 0 {
		p = p[:min(budget, len(p))]
	}
	n, err := m.in.Read(p)
	m.s.mu.Lock()
	if m.s.budget > 0 {
		m.s.budget = max(m.s.budget-n, 0)
	}
	budget = m.s.budget
	m.s.mu.Unlock()
	if budget == 0 {
		m.s.cut()
	}
	return n, err
}

// cutAfter lets the socket be cut when it has read n more bytes.
func (s *socket) cutAfter(n int) {
	s.mu.Lock()
	s.budget = n
	s.mu.Unlock()
	if n == 0 {
		s.cut()
	}
}

// cut ends the connection without a close frame.
func (s *socket) cut() {
	s.mu.Lock()
	s.cutRaw = true
	s.mu.Unlock()
	_ = s.conn.Close() // it may be closed already
}

func (s *socket) wasCut() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cutRaw
}

// encode returns a WebSocket frame.
func (s *socket) encode(op byte, payload []byte) []byte {
	b := []byte{0x80 | op, 0}
	switch n := len(payload); {
	case n < 126:
		b[1] = byte(n)
	case n < 1<<16:
		b[1] = 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b[1] = 127
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	if !s.masks {
		return append(b, payload...)
	}
	b[1] |= 0x80
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	b = append(b, key[:]...)
	for i, c := range payload {
		b = append(b, c^key[i%4])
	}
	return b
}

// fragments returns a binary message as two fragments.
func (s *socket) fragments(payload []byte) []byte {
	half := len(payload) / 2
	first, second := s.encode(opBinary, payload[:half]), s.encode(opContinuation, payload[half:])
	first[0] &^= 0x80
	return append(first, second...)
}

// unmasked returns a binary message whose mask is wrong for the sender.
func (s *socket) unmasked(payload []byte) []byte {
	return (&socket{masks: !s.masks}).encode(opBinary, payload)
}

// write writes bytes as they are.
func (s *socket) write(b []byte) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	_, err := s.conn.Write(b)
	return err
}

// message is what arrives on a WebSocket.
type message struct {
	op      byte
	payload []byte
}

// read returns the next message, put together from its fragments.
func (s *socket) read() (m message, err error) {
	for {
		final, op, payload, err := s.readFrame()
		switch {
		case err != nil:
			return m, err
		case op >= opClose:
			return message{op, payload}, nil // between fragments too
		case op == opContinuation && m.op == 0, op != opContinuation && m.op != 0:
			return m, errors.New("a WebSocket fragment without its beginning")
		case op != opContinuation:
			m.op = op
		}
		m.payload = append(m.payload, payload...)
		if final {
			return m, nil
		}
	}
}

func (s *socket) readFrame() (final bool, op byte, payload []byte, err error) {
	var head [8]byte
	if _, err := io.ReadFull(s.in, head[:2]); err != nil {
		return false, 0, nil, err
	}
	final, op = head[0]&0x80 != 0, head[0]&0x0f
	masked, size := head[1]&0x80 != 0, uint64(head[1]&0x7f)
	if head[0]&0x70 != 0 {
		return false, 0, nil, fmt.Errorf("a WebSocket frame with reserved bits: %#x", head[0])
	}
	if masked == s.masks {
		return false, 0, nil, errors.New("a WebSocket frame whose mask is wrong for its sender")
	}
	if size >= 126 {
		wide := head[:2]
		if size == 127 {
			wide = head[:8]
		}
		if _, err := io.ReadFull(s.in, wide); err != nil {
			return false, 0, nil, err
		}
		size = uint64(binary.BigEndian.Uint16(head[:2]))
		if len(wide) == 8 {
			size = binary.BigEndian.Uint64(head[:])
		}
	}
	if size > 16<<20 {
		return false, 0, nil, fmt.Errorf("a WebSocket frame of %d bytes", size)
	}
	var key [4]byte
	if masked {
		if _, err := io.ReadFull(s.in, key[:]); err != nil {
			return false, 0, nil, err
		}
	}
	payload = make([]byte, size)
	if _, err := io.ReadFull(s.in, payload); err != nil {
		return false, 0, nil, err
	}
	for i := range payload {
		payload[i] ^= key[i%4]
	}
	return final, op, payload, nil
}
