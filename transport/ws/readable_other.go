//go:build !unix

package ws

import (
	"bufio"
	"net"
)

// readable does nothing here: Read waits for the peer.
type readable struct{}

func (*inbound) watch(*bufio.Reader) {}

func (*inbound) watchSocket() {}

func (*inbound) await() {}

func (*inbound) fetchAhead() bool { return false }

func (*readable) quiet() bool { return false }

func (*readable) holdsMessage() bool { return false }

func (*readable) drained() bool { return false }

func (*readable) take([]byte) (n int, err error) { return 0, nil }

// readNow would read without waiting, and reads nothing here.
func readNow(net.Conn, []byte) (int, error) { return 0, nil }
