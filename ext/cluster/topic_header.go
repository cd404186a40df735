package cluster

import (
	"encoding/binary"
	"errors"
	"time"
)

// topicHeader is in front of each message of an ephemeral topic on the bus.
type topicHeader struct {
	kind   topicFrame
	node   NodeID        // that published
	series uint64        // of the publisher's numbers
	number uint64        // of the message, from 1 on, or of the last one
	age    time.Duration // since the series began
}

// topicFrame is the first byte of what an ephemeral topic sends.
type topicFrame byte

const (
	topicMessage topicFrame = 1 // a message follows the header
	topicLast    topicFrame = 2 // nothing follows: the header tells the number of the last message
)

var errTopicHeader = errors.New("cluster: malformed header of a topic's message")

// append appends the header to b: the kind, the node, and series, number and age
// in microseconds as varints.
func (h *topicHeader) append(b []byte) []byte {
	b = append(b, byte(h.kind))
	b = append(b, h.node[:]...)
	b = binary.AppendUvarint(b, h.series)
	b = binary.AppendUvarint(b, h.number)
	return binary.AppendUvarint(b, uint64(max(h.age, 0)/time.Microsecond))
}

// parseTopicHeader returns the header in front of b, and the rest of b.
func parseTopicHeader(b []byte) (h topicHeader, rest []byte, err error) {
	if len(b) < 1+len(h.node) {
		return h, nil, errTopicHeader
	}
	h.kind = topicFrame(b[0])
	rest = b[1+copy(h.node[:], b[1:]):]
	var age uint64
	for _, field := range []*uint64{&h.series, &h.number, &age} {
		value, n := binary.Uvarint(rest)
		if n <= 0 {
			return h, nil, errTopicHeader
		}
		*field, rest = value, rest[n:]
	}
	const maxAge = 1<<63 - 1
	h.age = time.Duration(min(age, uint64(maxAge/time.Microsecond))) * time.Microsecond
	switch {
	case h.number == 0,
		h.kind != topicMessage && h.kind != topicLast,
		h.kind == topicLast && len(rest) > 0:
		return h, nil, errTopicHeader
	}
	return h, rest, nil
}
