//go:build !linux

package ws

import "net"

// boundUnsent does nothing here: the kernel decides how much it takes.
func boundUnsent(net.Conn) {}
