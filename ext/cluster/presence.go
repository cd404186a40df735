package cluster

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/parley-rpc/parley/rpc"

	clusterv1 "github.com/parley-rpc/parley/ext/cluster/internal/gen/parley/cluster/v1"
)

// Presence is one connection of a client, as the directory knows it.
type Presence struct {
	Client   string
	Node     NodeID
	NodeName string
	Since    time.Time         // by the clock of the node
	Detached bool              // its link is lost; the session may be resumed
	Meta     map[string]string // set by the node; at most 1 KiB of keys and values

	session string // the name that the node has for it
	order   uint64 // the logical order of joins of the client
}

// compareJoins is negative if p joined before q. All nodes agree on it.
func compareJoins(p, q Presence) int {
	return compareOrders(p.order, p.Node, q.order, q.Node)
}

// compareOrders compares the logical order of two joins of one client. Nodes
// are the tie-break.
func compareOrders(a uint64, nodeA NodeID, b uint64, nodeB NodeID) int {
	return cmp.Or(cmp.Compare(a, b), cmp.Compare(string(nodeA[:]), string(nodeB[:])))
}

// checkMeta returns an error if metadata of a client is too long or no text.
func checkMeta(meta map[string]string) error {
	size := 0
	for key, value := range meta {
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return rpc.Errorf(rpc.CodeInvalidArgument, "cluster: metadata %q of a client is not UTF-8", key)
		}
		size += len(key) + len(value)
	}
	if size > maxMeta {
		return rpc.Errorf(rpc.CodeInvalidArgument, "cluster: metadata of a client has %d bytes: at most %d are allowed", size, maxMeta)
	}
	return nil
}

func (p Presence) toWire() *clusterv1.Presence {
	return &clusterv1.Presence{
		Client: p.Client, Node: p.Node[:], NodeName: p.NodeName, Session: p.session,
		SinceUs: p.Since.UnixMicro(), Order: p.order, Detached: p.Detached, Meta: p.Meta,
	}
}

func presenceFrom(wire *clusterv1.Presence) (p Presence, err error) {
	if p.Node, err = parseNodeID(wire.GetNode()); err != nil {
		return p, err
	}
	if wire.GetOrder() > maxOrder {
		return p, errors.New("cluster: order of a join is out of bounds")
	}
	if len(wire.GetNodeName()) > maxNodeName || len(wire.GetSession()) > maxSessionName {
		return p, errors.New("cluster: a presence has names that are too long")
	}
	if err := errors.Join(checkClientName(wire.GetClient()), checkMeta(wire.GetMeta())); err != nil {
		return p, err
	}
	return Presence{
		Client: wire.GetClient(), Node: p.Node, NodeName: wire.GetNodeName(), session: wire.GetSession(),
		Since: time.UnixMicro(wire.GetSinceUs()), order: wire.GetOrder(), Detached: wire.GetDetached(), Meta: wire.GetMeta(),
	}, nil
}

func (p Presence) clone() Presence {
	p.Meta = maps.Clone(p.Meta)
	return p
}

// clientMessage is a message of the subject of a client.
type clientMessage struct {
	kind   clusterv1.ClientMessage_Kind
	client string
	node   NodeID
	order  uint64
}

const maxClientMessage = 4096 // bytes

func (m clientMessage) marshal() ([]byte, error) {
	return proto.Marshal(&clusterv1.ClientMessage{Kind: m.kind, Client: m.client, Node: m.node[:], Order: m.order})
}

func parseClientMessage(data []byte) (m clientMessage, err error) {
	if len(data) > maxClientMessage {
		return m, fmt.Errorf("cluster: message to a client has %d bytes: at most %d are allowed", len(data), maxClientMessage)
	}
	var wire clusterv1.ClientMessage
	if err := proto.Unmarshal(data, &wire); err != nil {
		return m, fmt.Errorf("cluster: message to a client: %w", err)
	}
	if m.node, err = parseNodeID(wire.GetNode()); err != nil {
		return m, err
	}
	if wire.GetOrder() > maxOrder {
		return m, errors.New("cluster: order of a join is out of bounds")
	}
	m.kind, m.client, m.order = wire.GetKind(), wire.GetClient(), wire.GetOrder()
	return m, checkClientName(m.client)
}

const (
	maxPresences      = 64 // of one client that a node tells
	maxClientResponse = 256 << 10
)

// marshalPresences answers a lookup.
func marshalPresences(all []Presence) ([]byte, error) {
	var wire clusterv1.ClientResponse
	for _, p := range all[:min(len(all), maxPresences)] {
		wire.Presences = append(wire.Presences, p.toWire())
	}
	return proto.Marshal(&wire)
}

// parsePresences parses the answer to a lookup of a client.
func parsePresences(data []byte, client string) (all []Presence, err error) {
	if len(data) > maxClientResponse {
		return nil, fmt.Errorf("cluster: answer to a lookup has %d bytes: at most %d are allowed", len(data), maxClientResponse)
	}
	var wire clusterv1.ClientResponse
	if err := proto.Unmarshal(data, &wire); err != nil {
		return nil, fmt.Errorf("cluster: answer to a lookup: %w", err)
	}
	if n := len(wire.GetPresences()); n > maxPresences {
		return nil, fmt.Errorf("cluster: answer to a lookup has %d connections: at most %d are allowed", n, maxPresences)
	}
	for _, one := range wire.GetPresences() {
		p, err := presenceFrom(one)
		if err != nil {
			return nil, err
		}
		if p.Client != client {
			return nil, errors.New("cluster: answer to a lookup of another client")
		}
		all = append(all, p)
	}
	return all, nil
}
