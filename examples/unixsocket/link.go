package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// socketLink is a transport.Link over a stream of bytes. Each message follows
// its length in 4 bytes. After the length 0 comes a close code and its reason.
type socketLink struct {
	conn    net.Conn
	in      *bufio.Reader
	writing sync.Mutex
	closing sync.Once
}

func newLink(conn net.Conn) *socketLink { return &socketLink{conn: conn, in: bufio.NewReader(conn)} }

func (l *socketLink) NextReader() (io.Reader, error) {
	msg, err := l.read()
	if err != nil || len(msg) > 0 {
		return bytes.NewReader(msg), err
	}
	if msg, err = l.read(); err != nil || len(msg) < 2 {
		return nil, io.ErrUnexpectedEOF
	}
	code := transport.CloseCode(binary.BigEndian.Uint16(msg))
	return nil, &transport.CloseError{Code: code, Reason: string(msg[2:]), Remote: true}
}

func (l *socketLink) read() ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(l.in, length[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > 256<<10 { // more than any message of a session
		return nil, fmt.Errorf("a message of %d bytes", n)
	}
	msg := make([]byte, n)
	_, err := io.ReadFull(l.in, msg)
	return msg, err
}

func (l *socketLink) WriteMessage(parts [][]byte) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	return l.write(bytes.Join(parts, nil))
}

func (l *socketLink) write(msg []byte) error {
	_, err := l.conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(msg))), msg...))
	return err
}

func (l *socketLink) Close(code transport.CloseCode, reason string) error {
	err := net.ErrClosed
	l.closing.Do(func() {
		_ = l.conn.SetWriteDeadline(time.Now().Add(time.Second)) // also of the message that is being written
		l.writing.Lock()
		defer l.writing.Unlock()
		_ = l.write(nil) // if the peer does not read, it does not learn why
		_ = l.write(append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...))
		err = l.conn.Close()
	})
	return err
}
