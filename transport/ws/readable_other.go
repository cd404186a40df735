//go:build !unix

package ws

import (
	"bufio"
	"net"
)

// readable would be where the peer is waited for; here Read does.
type readable struct{}

func (*inbound) watch(*bufio.Reader) {}

func (*inbound) await() {}

func (*readable) take([]byte) (n int, err error) { return 0, nil }

// readNow reads what is there, and does not wait: nothing here.
func readNow(net.Conn, []byte) (int, error) { return 0, nil }
