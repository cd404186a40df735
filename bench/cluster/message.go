package main

import (
	"encoding/binary"
	"time"

	benchv1 "github.com/parley-rpc/parley/bench/gen/bench/v1"
	"github.com/parley-rpc/parley/ext/cluster"
)

// The payload of a topic's message has its number and when it was published, in
// nanoseconds since 1970. That of a gap is its count alone.
const gapSize = 8

// stamped returns the message with a number, published now.
func stamped(number uint64) *benchv1.DownloadResponse {
	p := make([]byte, payloadSize)
	binary.BigEndian.PutUint64(p, number)
	binary.BigEndian.PutUint64(p[8:], uint64(time.Now().UnixNano())) //nolint:gosec // after 1970
	return &benchv1.DownloadResponse{Payload: p}
}

// gapMessage tells a subscriber how many messages are missing.
func gapMessage(g cluster.Gap) *benchv1.DownloadResponse {
	return &benchv1.DownloadResponse{Payload: binary.BigEndian.AppendUint64(nil, g.Count)}
}

// read returns a message's number and age, or the count of a gap.
func read(m *benchv1.DownloadResponse) (number uint64, age time.Duration, gap bool) {
	p := m.GetPayload()
	number = binary.BigEndian.Uint64(p)
	if len(p) == gapSize {
		return number, 0, true
	}
	published := int64(binary.BigEndian.Uint64(p[8:])) //nolint:gosec // from UnixNano
	return number, time.Duration(time.Now().UnixNano() - published), false
}
