package path

import (
	"errors"
	"net"
	"syscall"
)

const (
	segmentSize = 1448 // bytes, as on Ethernet
	minReceive  = 8 << 10
	// receiveTime is how much of the rate the kernel may receive before the
	// proxy reads it.
	receiveTime = 2.0 / 1000 // seconds
)

// control returns a function that keeps the kernel's own buffers between a
// sender and the proxy small, where there is a rate. It has to be called before
// the connection exists.
//
// The receive buffer bounds what has arrived and was not read. The sender's
// buffer is out of reach, but the kernel sizes it by segments: it starts with
// some twenty, and a segment of the loopback interface has 64 KiB. Segments as
// on Ethernet make that some 50 KiB.
func control(rate Rate) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		if rate == 0 {
			return nil
		}
		var failed error
		err := c.Control(func(fd uintptr) {
			size := max(int(float64(rate)*receiveTime), minReceive)
			failed = errors.Join(
				syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, size),
				syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, segmentSize),
			)
		})
		return errors.Join(err, failed)
	}
}

// closeConn closes a connection whose data has been delivered.
func closeConn(c net.Conn) { _ = c.Close() } // fails if it is closed

// abort closes a connection with a reset if it can.
func abort(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // fails if it is closed
	}
	_ = c.Close()
}
