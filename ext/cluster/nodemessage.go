package cluster

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	clusterv1 "github.com/parley-rpc/parley/ext/cluster/internal/gen/parley/cluster/v1"
)

const maxNodeMessage = 4096 // bytes; a later version may add fields

// nodeInfo is what a node says about itself.
type nodeInfo struct {
	ID       NodeID
	Name     string
	URL      string // where other nodes reach it; "": nowhere
	Draining bool   // takes no new sessions
}

// nodeMessage is a message of the subject "nodes".
type nodeMessage struct {
	nodeInfo
	kind       clusterv1.NodeMessage_Kind
	interval   time.Duration // of heartbeats
	watching   bool          // wants presence announcements
	announcing bool          // publishes them
	nextEvent  uint64        // number of the next presence event
}

func (m *nodeMessage) marshal() ([]byte, error) {
	return proto.Marshal(&clusterv1.NodeMessage{
		Id: m.ID[:], Name: m.Name, Url: m.URL, Draining: m.Draining, Kind: m.kind,
		IntervalMs: uint32(m.interval / time.Millisecond), //nolint:gosec // checked at construction
		Watching:   m.watching, Announcing: m.announcing, NextEvent: m.nextEvent,
	})
}

// parseNodeMessage parses a message of the subject "nodes".
func parseNodeMessage(data []byte) (m nodeMessage, err error) {
	if len(data) > maxNodeMessage {
		return m, fmt.Errorf("cluster: message of a node has %d bytes: at most %d are allowed", len(data), maxNodeMessage)
	}
	var wire clusterv1.NodeMessage
	if err := proto.Unmarshal(data, &wire); err != nil {
		return m, fmt.Errorf("cluster: message of a node: %w", err)
	}
	if m.ID, err = parseNodeID(wire.GetId()); err != nil {
		return m, err
	}
	if err := checkNode(wire.GetName(), wire.GetUrl()); err != nil {
		return m, err
	}
	m.Name, m.URL, m.Draining, m.kind = wire.GetName(), wire.GetUrl(), wire.GetDraining(), wire.GetKind()
	m.interval = min(max(time.Duration(wire.GetIntervalMs())*time.Millisecond, minHeartbeat), maxHeartbeat)
	m.watching, m.announcing, m.nextEvent = wire.GetWatching(), wire.GetAnnouncing(), wire.GetNextEvent()
	return m, nil
}

func parseNodeID(data []byte) (id NodeID, err error) {
	if len(data) != len(id) {
		return id, fmt.Errorf("cluster: id of a node has %d bytes, not %d", len(data), len(id))
	}
	copy(id[:], data)
	if id == (NodeID{}) {
		return id, errors.New("cluster: id of a node is zero")
	}
	return id, nil
}

// checkNode returns an error if what a node says about itself is too long.
func checkNode(name, url string) error {
	if len(name) > maxNodeName {
		return fmt.Errorf("cluster: name of a node has %d bytes: at most %d are allowed", len(name), maxNodeName)
	}
	if len(url) > maxURL {
		return fmt.Errorf("cluster: URL of a node has %d bytes: at most %d are allowed", len(url), maxURL)
	}
	return nil
}
