//go:build !unix

package ws

import "bufio"

// readable would wait for something to read; here Read does.
type readable struct{}

func (*inbound) watch(*bufio.Reader) {}

func (*inbound) await() {}
