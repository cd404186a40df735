//go:build unix

package ws

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// readable waits until a TCP connection is readable, and holds what was read
// then. A goroutine that waits in Read, below gorilla, a bufio.Reader and three
// layers of package net, has a stack of 8 KiB while the connection is idle.
// Here it is half of that or less (docs/design/speed.md).
type readable struct {
	buffer *bufio.Reader   // what it holds must be read first; nil: await does not wait
	raw    syscall.RawConn // the socket
	fetch  func(fd uintptr) bool
	err    error // of fetch

	from, to int // of ahead
	ahead    [aheadSize]byte
}

// watch prepares await if the connection is a TCP socket that is read through
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
	in.readable.buffer, in.readable.raw = buffer, raw
	in.readable.fetch = in.readable.read
}

// watchSocket prepares fetchAhead if the connection is a TCP socket.
func (in *inbound) watchSocket() {
	if in.readable.raw == nil {
		in.watch(nil)
	}
}

// await returns when there are bytes to read, or an error.
func (in *inbound) await() {
	r := &in.readable
	if r.buffer == nil || r.buffer.Buffered() > 0 || r.from < r.to || len(in.held) > 0 || r.err != nil {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.closed.Load() {
		_ = r.raw.Read(r.fetch) // the next read returns the error too
	}
}

// fetchAhead waits until there are bytes to read, and reports whether they were
// read ahead. A read deadline ends the wait. mu is held.
func (in *inbound) fetchAhead() bool { return in.readable.raw.Read(in.readable.fetch) == nil }

// quiet reports whether fetchAhead can wait: nothing was read ahead.
func (r *readable) quiet() bool { return r.raw != nil && r.from == r.to && r.err == nil }

// holdsMessage reports whether what was read ahead begins with a whole message
// in one frame.
func (r *readable) holdsMessage() bool { return isMessage(r.ahead[r.from:r.to]) }

// read reads what is there. It reports false if it must wait.
func (r *readable) read(fd uintptr) bool {
	for {
		n, err := syscall.Read(int(fd), r.ahead[:])
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return false
		case err != nil:
			r.err = os.NewSyscallError("read", err)
		}
		r.from, r.to = 0, max(n, 0) // at the end of the stream there is nothing, now and later
		return true
	}
}

// readNow reads what is there, and does not wait.
func readNow(conn net.Conn, buf []byte) (n int, err error) {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return 0, nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0, err
	}
	failed := raw.Read(func(fd uintptr) bool {
		n, err = syscall.Read(int(fd), buf)
		return true
	})
	switch {
	case failed != nil:
		return 0, failed
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
		return 0, nil
	case err == nil && n == 0:
		return 0, io.EOF
	}
	return max(n, 0), err
}

// drained reports whether what was read ahead is all that had arrived, and was
// taken.
func (r *readable) drained() bool { return r.from == r.to && r.to < len(r.ahead) }

// take returns what was read already, or an error, like a read. It may return
// nothing.
func (r *readable) take(p []byte) (n int, err error) {
	if r.from == r.to {
		return 0, r.err
	}
	n = copy(p, r.ahead[r.from:r.to])
	r.from += n
	return n, nil
}
