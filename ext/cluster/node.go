package cluster

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/parley-rpc/parley/rpc"
)

// Node is one server of a cluster. Any goroutine may call its methods.
type Node struct {
	config Config
	id     NodeID
	alone  bool // there is no bus to other nodes

	members   *members
	directory *directory
	announcer *announcer
	watches   *watches
	topics    *topicHub

	clients localConns
	nodes   *nodeConns
	inner   *rpc.Server // for other nodes
	relays  *relays

	ctx     context.Context // until the node has left
	leave   context.CancelFunc
	passing linkGroup

	endsGone atomic.Bool // see endDetached

	counters   nodeCounters
	health     *nodeHealth
	stopChange func()

	departing sync.Once
	mu        sync.Mutex
	servers   []*rpc.Server
}

// New returns a node, and announces it to the others.
func New(config Config) (*Node, error) {
	id := newNodeID()
	n := &Node{id: id, alone: config.Bus == nil}
	if err := config.withDefaults(id); err != nil {
		return nil, err
	}
	n.config = config
	self := nodeInfo{ID: id, Name: config.Name, URL: config.Advertise}
	var err error
	n.members, err = newMembers(memberConfig{
		bus: config.Bus, prefix: config.Prefix, self: self, log: config.Logger,
		announced: func() (uint64, bool) { return n.announcer.announced() },
		receive:   n.handleMember,
	})
	if err != nil {
		return nil, err
	}
	n.announcer = newAnnouncer(config.Bus, config.Prefix, id, n.members.watched.Load)
	n.watches = newWatches(watchConfig{
		bus: config.Bus, prefix: config.Prefix, self: id, log: config.Logger,
		lives: n.members.lives, setWatching: n.setWatching,
		heard: func(e PresenceEvent) { n.directory.heard(e) },
	})
	n.directory = newDirectory(directoryConfig{
		bus: config.Bus, prefix: config.Prefix, self: self, several: config.Several, log: config.Logger,
		lives:    n.members.lives,
		complete: n.members.complete,
		replaced: n.endReplaced,
		changed: func(e PresenceEvent) {
			n.announcer.add(e)
			n.watches.local(e)
		},
	})
	n.topics = newTopicHub(config.Bus, config.Prefix, id)
	n.ctx, n.leave = context.WithCancel(context.Background())
	n.relays = &relays{limit: int64(config.MaxRelays)}
	n.health = newNodeHealth(n.isConnected)
	n.nodes = newNodeConns(n.dialOptions()...)
	n.nodes.changed = n.health.changed
	n.inner = n.newInnerServer()
	n.stopChange = config.Bus.OnChange(n.handleBusChange)
	if n.alone {
		n.members.endSettling()
		return n, nil
	}
	if err := n.members.start(); err != nil {
		n.alone = true // it has not joined, so it must not leave
		n.Close()
		return nil, err
	}
	return n, nil
}

// ID returns the id of the node, which is another one after a restart.
func (n *Node) ID() NodeID { return n.id }

// Name returns Config.Name.
func (n *Node) Name() string { return n.config.Name }

// setWatching tells the other nodes whether this one watches.
func (n *Node) setWatching(on bool) {
	if !n.alone {
		n.members.setWatching(on)
	}
}

// handleMember acts on a change of another node.
func (n *Node) handleMember(e memberEvent) {
	switch e.kind {
	case memberGone:
		n.counters.nodesLost.Add(1)
		n.directory.nodeGone(e.node.ID)
		n.nodes.gone(e.node.ID)
	case memberLeft:
		n.directory.nodeGone(e.node.ID)
		n.nodes.left(e.node.ID)
	}
	n.watches.handleMember(e)
	if e.kind != memberAnnounce {
		n.health.handleMember(e, len(n.members.list()))
	}
}

// handleBusChange acts on a change of the bus.
func (n *Node) handleBusChange(change BusChange) {
	if change.Lost {
		n.counters.busLosses.Add(1)
	}
	n.health.changed()
}

// ServerOptions returns the options of a server whose clients the node knows.
func (n *Node) ServerOptions() []rpc.ServerOption {
	return []rpc.ServerOption{
		rpc.WithSessionIDs(func() []byte { return newSessionID(n.id) }),
		rpc.OnConnect(n.connected),
		rpc.OnDetached(func(c *rpc.Conn) { n.changed(c, n.directory.detach) }),
		rpc.OnResumed(func(c *rpc.Conn) { n.changed(c, n.directory.resume) }),
		rpc.OnDisconnect(n.disconnected),
		rpc.OnUnknownPredecessor(n.endPredecessor),
	}
}

// connected adds a connection to the directory.
func (n *Node) connected(c *rpc.Conn) {
	client, ok := n.config.Identify(c)
	if !ok {
		return
	}
	session, meta := n.clients.add(c, client)
	if err := n.directory.join(client, session, meta); err != nil {
		n.clients.refuse(c)
		n.config.Logger.Warn("cluster: a client is not in the directory", "conn", c.ID(), "reason", err)
		return
	}
	for {
		meta, more := n.clients.joined(c)
		if !more {
			return
		}
		_ = n.directory.setMeta(client, session, meta) // SetMeta has checked it
	}
}

// changed tells the directory of a change of a connection.
func (n *Node) changed(c *rpc.Conn, tell func(client, session string)) {
	if client, session, ok := n.clients.names(c); ok {
		tell(client, session)
	}
}

// disconnected removes a connection from the directory.
func (n *Node) disconnected(c *rpc.Conn, _ error) {
	n.changed(c, n.directory.leave)
	n.clients.remove(c)
}

// errReplaced is the status of calls on a connection whose client has a newer one.
var errReplaced = rpc.Errorf(rpc.CodeUnavailable, "the client has a newer connection")

// endReplaced ends a connection of a client that has a newer one. One that is
// draining ends by itself: the newer one is where the client has moved, and the
// calls on the older one finish.
func (n *Node) endReplaced(_, session string) {
	c := n.clients.conn(session)
	if c == nil {
		return
	}
	select {
	case <-c.Draining():
	default:
		go c.End(errReplaced) //nolint:errcheck // it may take a second
	}
}

// Register adds a service for other nodes: NodeCaller calls it. It panics if a
// service of that name is registered.
func (n *Node) Register(svc *rpc.Service) { n.inner.Register(svc) }

// NodeCaller returns a Caller of the services that another node has registered.
// CodeUnavailable: there is no such node any more.
func (n *Node) NodeCaller(id NodeID) (rpc.Caller, error) {
	other, ok := n.members.info(id)
	if !ok {
		return nil, rpc.Errorf(rpc.CodeUnavailable, "node %s is gone", id)
	}
	return n.reach(other)
}

// NodeInfo describes another node.
type NodeInfo struct {
	ID       NodeID
	Name     string
	Draining bool // it takes no new clients
}

// Nodes returns the other nodes of the cluster, in the order of their ids.
func (n *Node) Nodes() []NodeInfo {
	var all []NodeInfo
	for _, m := range n.members.list() {
		all = append(all, NodeInfo{ID: m.ID, Name: m.Name, Draining: m.Draining})
	}
	return all
}
