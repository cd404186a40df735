package cluster

import (
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/proto"

	clusterv1 "github.com/parley-rpc/parley/ext/cluster/internal/gen/parley/cluster/v1"
)

// presenceBatch is a message of the subject "presence".
type presenceBatch struct {
	node   NodeID
	first  uint64
	events []PresenceEvent // Kind 0: of a kind of a later version
}

func parsePresenceBatch(data []byte) (b presenceBatch, err error) {
	if len(data) > maxBatch {
		return b, fmt.Errorf("cluster: presence batch has %d bytes: at most %d are allowed", len(data), maxBatch)
	}
	var wire clusterv1.PresenceBatch
	if err := proto.Unmarshal(data, &wire); err != nil {
		return b, fmt.Errorf("cluster: presence batch: %w", err)
	}
	if b.node, err = parseNodeID(wire.GetNode()); err != nil {
		return b, err
	}
	if n := len(wire.GetEvents()); n == 0 || n > batchEvents {
		return b, fmt.Errorf("cluster: presence batch has %d events: 1 to %d are allowed", n, batchEvents)
	}
	if b.first = wire.GetFirst(); b.first > math.MaxInt64 {
		return b, errors.New("cluster: number of a presence batch is out of bounds")
	}
	for _, e := range wire.GetEvents() {
		p, err := presenceFrom(e.GetPresence())
		if err != nil {
			return b, err
		}
		if p.Node != b.node {
			return b, errors.New("cluster: presence batch of another node's clients")
		}
		b.events = append(b.events, PresenceEvent{Kind: eventKindFrom(e.GetKind()), Node: p.Node, NodeName: p.NodeName, Presence: p})
	}
	return b, nil
}

// eventKindFrom returns 0 for a kind of a later version.
func eventKindFrom(wire clusterv1.PresenceEvent_Kind) PresenceEventKind {
	for kind, w := range eventKinds {
		if w == wire {
			return kind
		}
	}
	return 0
}
