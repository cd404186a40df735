package cluster

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/parley-rpc/parley/rpc"
)

// Position is a place in a topic: after a Delivery. It is opaque, and has at
// most 64 printable ASCII characters. The empty one means: from now on.
//
// A handler puts it into the messages of its stream, so that it is the cursor of
// [rpc.Follow]. The position of an ephemeral topic is good for a short
// interruption only: with another node, and with this one if it had no other
// subscriber in the meantime, a subscription from it begins with a gap of
// unknown size.
type Position string

// Oldest is the position before the oldest message that is kept. In an ephemeral
// topic that is none: it means from now on.
const Oldest Position = "oldest"

const maxPosition = 64

// positionKind is the first character of a position.
type positionKind byte

const (
	positionNow       positionKind = 0
	positionOldest    positionKind = 'o'
	positionEphemeral positionKind = 'e'
	positionHistory   positionKind = 'h'
)

// position is a Position that has been parsed.
type position struct {
	kind   positionKind
	node   NodeID // ephemeral: where the subscriber was
	series uint64 // ephemeral: of the node's subscription to the bus
	number uint64 // ephemeral: of the event in the series; history: of the entry
}

// ephemeralPosition returns "e-<node>-<series>-<number>".
func ephemeralPosition(node NodeID, series, number uint64) Position {
	var b [maxPosition]byte
	p := append(b[:0], byte(positionEphemeral), '-')
	p = hex.AppendEncode(p, node[:])
	p = strconv.AppendUint(append(p, '-'), series, 36)
	p = strconv.AppendUint(append(p, '-'), number, 36)
	return Position(p)
}

// historyPosition returns "h-<number>".
func historyPosition(number uint64) Position {
	var b [maxPosition]byte
	p := append(b[:0], byte(positionHistory), '-')
	return Position(strconv.AppendUint(p, number, 36))
}

// parsePosition parses a position, which the client may have made up.
func parsePosition(p Position) (position, error) {
	switch {
	case p == "":
		return position{kind: positionNow}, nil
	case p == Oldest:
		return position{kind: positionOldest}, nil
	case len(p) > maxPosition:
		return position{}, malformedPosition(p[:maxPosition] + "...")
	}
	kind, rest, _ := strings.Cut(string(p), "-")
	var (
		parsed position
		ok     bool
	)
	switch kind {
	case "e":
		parsed, ok = parseEphemeral(rest)
	case "h":
		parsed.kind = positionHistory
		parsed.number, ok = parseNumber(rest)
	}
	if !ok {
		return position{}, malformedPosition(p)
	}
	return parsed, nil
}

func parseEphemeral(text string) (p position, ok bool) {
	node, numbers, _ := strings.Cut(text, "-")
	series, number, _ := strings.Cut(numbers, "-")
	p.kind = positionEphemeral
	if len(node) != hex.EncodedLen(len(p.node)) {
		return p, false
	}
	if _, err := hex.Decode(p.node[:], []byte(node)); err != nil {
		return p, false
	}
	if p.series, ok = parseNumber(series); !ok {
		return p, false
	}
	p.number, ok = parseNumber(number)
	return p, ok
}

func parseNumber(s string) (uint64, bool) {
	n, err := strconv.ParseUint(s, 36, 64)
	return n, err == nil
}

func malformedPosition(p Position) error {
	return rpc.Errorf(rpc.CodeInvalidArgument, "position %q is malformed: use that of a delivery, or none", p)
}
