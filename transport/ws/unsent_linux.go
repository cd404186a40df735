package ws

import (
	"net"
	"syscall"
)

// tcpNotSentLowat is TCP_NOTSENT_LOWAT, which package syscall does not have
// (tcp(7), since Linux 3.12).
const tcpNotSentLowat = 25

// boundUnsent has the kernel take no more bytes of a TCP connection than it has
// sent and maxUnsent. What waits before the kernel is still ours to order: a
// small message goes ahead of a large one. Without it a connection that was
// fast may hold megabytes that nothing can overtake.
func boundUnsent(conn net.Conn) {
	tcp, ok := bottom(conn).(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return // it is closed, which the next use tells
	}
	_ = raw.Control(func(fd uintptr) {
		// A kernel without it takes more at once, as without this call.
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpNotSentLowat, maxUnsent)
	})
}
