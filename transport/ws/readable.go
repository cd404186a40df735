//go:build unix

package ws

import (
	"bufio"
	"errors"
	"net"
	"syscall"
)

// readable waits for something to read. A goroutine that waits in Read, below gorilla,
// a bufio.Reader and three layers of package net, has 8 KiB of stack for as long as the
// connection is idle; here it is half of that (docs/design/speed.md).
type readable struct {
	buffer *bufio.Reader   // of what is read from the socket; nil: there is no waiting
	raw    syscall.RawConn // the socket
	peek   func(fd uintptr) bool
}

// watch prepares for waiting where the connection is a TCP socket that is read through
// buffer.
func (in *inbound) watch(buffer *bufio.Reader) {
	conn, ok := in.conn.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	in.readable = readable{buffer: buffer, raw: raw, peek: peek}
}

// peek tells whether a read of the socket would not wait.
func peek(fd uintptr) bool {
	var b [1]byte
	_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
	return !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR)
}

// await returns when there is something to read, or an error to be read. Whoever reads
// then finds out which.
func (in *inbound) await() {
	r := &in.readable
	if r.buffer == nil || r.buffer.Buffered() > 0 {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.closed.Load() {
		_ = r.raw.Read(r.peek)
	}
}
