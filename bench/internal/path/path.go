// Package path puts distance between two ends of a TCP connection: a proxy on
// the loopback interface that delays each direction, paces it at a rate, and
// bounds the queue before that rate.
//
// The model of one direction is a bottleneck followed by a delay. Bytes wait in
// the bottleneck's queue until they have been sent at its rate, and arrive half
// a round trip later. A TCP proxy cannot drop what does not fit into the queue.
// It stops reading instead, so that the sender's kernel sees a closed window.
// All connections of a proxy share the bottleneck.
//
// The TCP connections end at the proxy. So TCP's own handshake, its slow start
// and its losses are not part of the model: the first byte is sent without
// waiting, and at the rate of the path.
package path

import (
	"fmt"
	"strings"
	"time"
)

// Rate is bytes per second. 0 is no limit.
type Rate float64

// Megabit is a rate in the unit that links are sold by.
const Megabit Rate = 1e6 / 8

// DefaultQueue is how long a full queue takes to empty.
const DefaultQueue = 20 * time.Millisecond

// Path is what lies between a client and a server.
type Path struct {
	RoundTrip time.Duration
	Up, Down  Rate          // from the client, and to it
	Queue     time.Duration // 0 is DefaultQueue
}

// String returns the round trip and the rates: "100ms-100mbit", or
// "300ms-10-50mbit" if they differ, that from the client first.
func (p Path) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%dms-", p.RoundTrip.Milliseconds())
	switch {
	case p.Up != p.Down:
		fmt.Fprintf(&b, "%g-%gmbit", p.Up/Megabit, p.Down/Megabit)
	case p.Up == 0:
		b.WriteString("unlimited")
	case p.Up >= 1000*Megabit:
		fmt.Fprintf(&b, "%ggbit", p.Up/(1000*Megabit))
	default:
		fmt.Fprintf(&b, "%gmbit", p.Up/Megabit)
	}
	return b.String()
}

// queue is the bound of the queues.
func (p Path) queue() time.Duration {
	if p.Queue == 0 {
		return DefaultQueue
	}
	return p.Queue
}
