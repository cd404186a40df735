// Package port finds addresses for servers of tests that restart.
package port

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"
)

// Free finds a free port of the loopback interface. The kernel must not give it
// to a client while its server restarts, so it is outside the range of ephemeral
// ports.
func Free(r *rand.Rand) (addr string, err error) {
	for {
		addr := fmt.Sprintf("127.0.0.1:%d", 10000+r.IntN(20000))
		ln, err := net.Listen("tcp", addr)
		if err == nil {
			return addr, ln.Close()
		}
		var wrong *net.AddrError
		if errors.As(err, &wrong) {
			return "", err
		}
	}
}

// Listen listens on a port, and waits for up to 5 s if it is still in use.
func Listen(addr string) (ln net.Listener, err error) {
	for range 100 {
		if ln, err = net.Listen("tcp", addr); err == nil {
			return ln, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, err
}
