package cluster

import (
	"cmp"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/rpc"

	clusterv1 "github.com/parley-rpc/parley/ext/cluster/internal/gen/parley/cluster/v1"
)

// Several says what happens to a client that is connected more than once.
type Several int

const (
	// Newest ends the older connections, on whichever nodes they are.
	Newest Several = iota
	// All keeps them. A call goes to the newest.
	All
)

const maxOrder = 1 << 62 // of a join: one more never overflows

// directoryConfig configures a directory.
type directoryConfig struct {
	bus     Bus
	prefix  string
	self    nodeInfo
	several Several
	lives   func(NodeID) bool // reports whether a node is known to live
	// complete reports whether all nodes have the bus, as far as is known.
	complete func() bool
	cached   int // lookups; 0: defaultCachedLookups
	log      *slog.Logger

	// replaced is told of a session that a newer one has replaced. The
	// directory no longer has it. It must not block.
	replaced func(client, session string)
	// changed gets the events of this node, with the directory locked.
	changed func(PresenceEvent)
}

// directory knows the clients of this node, and finds those of other nodes: each
// node subscribes to the subjects of its clients. No node knows all of them.
type directory struct {
	config     directoryConfig
	cache      *lookupCache
	replaced   notifier[[2]string] // client and session
	stopChange func()

	announcements, lookups, lookupsFailed atomic.Uint64 // Stats

	mu      sync.Mutex // before what changed locks
	clients map[string]*localClient
	closed  bool

	claims claims
}

// localClient is a client that is connected to this node. It stays the same
// until its last session has left.
type localClient struct {
	sub      BusSubscription // nil: not yet
	sessions []localSession  // the newest is last
}

// localSession is a connection of a client.
type localSession struct {
	name      string
	order     uint64
	since     int64 // microseconds since 1970
	detached  bool
	announced bool // its join was published
	claimed   bool // it was published again, after what others published may have been lost
	meta      map[string]string
}

func (c *localClient) newest() *localSession { return &c.sessions[len(c.sessions)-1] }

func (c *localClient) find(session string) int {
	return slices.IndexFunc(c.sessions, func(s localSession) bool { return s.name == session })
}

func newDirectory(config directoryConfig) *directory {
	if config.log == nil {
		config.log = slog.New(slog.DiscardHandler)
	}
	if config.changed == nil {
		config.changed = func(PresenceEvent) {}
	}
	d := &directory{
		config: config, clients: make(map[string]*localClient),
		cache: newLookupCache(cmp.Or(config.cached, defaultCachedLookups)),
	}
	d.replaced.receive = func(r [2]string) { config.replaced(r[0], r[1]) }
	d.claims.lost = make(map[string]struct{})
	d.stopChange = config.bus.OnChange(d.handleChange)
	return d
}

// join adds a session of a client. An unavailable bus does not matter: the join
// is announced when it is back.
func (d *directory) join(client, session string, meta map[string]string) error {
	if err := checkClientName(client); err != nil {
		return err
	}
	if err := checkMeta(meta); err != nil {
		return err
	}
	if session == "" || len(session) > maxSessionName {
		return rpc.Errorf(rpc.CodeInvalidArgument, "cluster: a session's name has %d bytes: 1 to %d are allowed", len(session), maxSessionName)
	}
	now := time.Now().UnixMicro()
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return rpc.Errorf(rpc.CodeUnavailable, "cluster: the node has left")
	}
	c := d.clients[client]
	first := c == nil
	if first {
		c = &localClient{}
		d.clients[client] = c
	} else if c.find(session) >= 0 {
		d.mu.Unlock()
		return rpc.Errorf(rpc.CodeAlreadyExists, "cluster: the session is in the directory already")
	}
	order := uint64(max(now, 0)) //nolint:gosec // not negative
	if !first {
		order = max(order, c.newest().order+1)
	}
	if d.config.several == Newest {
		d.replaceAll(client, c)
	}
	c.sessions = append(c.sessions, localSession{name: session, order: order, since: now, meta: maps.Clone(meta)})
	d.event(PresenceJoined, client, *c.newest())
	d.mu.Unlock()

	d.cache.forget(client)
	if first {
		d.subscribe(client, c)
	}
	d.announce(client, session, clusterv1.ClientMessage_KIND_JOIN, order)
	d.replaced.deliver()
	return nil
}

// replaceAll removes the sessions of a client and says so.
func (d *directory) replaceAll(client string, c *localClient) {
	for _, s := range c.sessions {
		d.event(PresenceLeft, client, s)
		d.replaced.add([2]string{client, s.name})
	}
	c.sessions = c.sessions[:0]
}

// subscribe makes a client of this node be found.
func (d *directory) subscribe(client string, c *localClient) {
	sub, err := d.config.bus.Subscribe(clientSubject(d.config.prefix, client), func(m BusMessage) { d.handle(client, m) })
	if err != nil {
		d.config.log.Warn("a client is not found by other nodes until the bus is back", "err", err)
		return
	}
	d.mu.Lock()
	wanted := d.clients[client] == c && c.sub == nil
	if wanted {
		c.sub = sub
	}
	d.mu.Unlock()
	if !wanted {
		_ = sub.Close() // the client has left
	}
}

// announce publishes a join.
func (d *directory) announce(client, session string, kind clusterv1.ClientMessage_Kind, order uint64) {
	if !d.publish(client, kind, order) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.clients[client]; c != nil {
		if i := c.find(session); i >= 0 {
			c.sessions[i].announced = true
		}
	}
}

func (d *directory) publish(client string, kind clusterv1.ClientMessage_Kind, order uint64) bool {
	data, err := clientMessage{kind: kind, client: client, node: d.config.self.ID, order: order}.marshal()
	if err == nil {
		err = d.config.bus.Publish(clientSubject(d.config.prefix, client), data)
	}
	if err != nil {
		d.config.log.Debug("a message about a client was not sent", "err", err)
		return false
	}
	d.announcements.Add(1)
	return true
}

// leave removes a session. One that is not in the directory does not matter.
func (d *directory) leave(client, session string) {
	d.mu.Lock()
	c := d.clients[client]
	i := -1
	if c != nil {
		i = c.find(session)
	}
	if i < 0 {
		d.mu.Unlock()
		return
	}
	d.event(PresenceLeft, client, c.sessions[i])
	c.sessions = slices.Delete(c.sessions, i, i+1)
	sub := d.dropEmpty(client, c)
	d.mu.Unlock()
	closeSubscription(sub)
}

// dropEmpty forgets a client that has no session. The caller closes the
// subscription without the lock.
func (d *directory) dropEmpty(client string, c *localClient) BusSubscription {
	if len(c.sessions) > 0 {
		return nil
	}
	delete(d.clients, client)
	return c.sub
}

func closeSubscription(sub BusSubscription) {
	if sub != nil {
		_ = sub.Close() // nothing depends on it: what arrives finds no client
	}
}

// detach says that the link of a session is lost.
func (d *directory) detach(client, session string) {
	d.change(client, session, func(s *localSession) PresenceEventKind {
		if s.detached {
			return 0
		}
		s.detached = true
		return PresenceDetached
	})
}

// resume says that a session has a link again.
func (d *directory) resume(client, session string) {
	d.change(client, session, func(s *localSession) PresenceEventKind {
		if !s.detached {
			return 0
		}
		s.detached = false
		return PresenceResumed
	})
}

// setMeta replaces the metadata of a session.
func (d *directory) setMeta(client, session string, meta map[string]string) error {
	if err := checkMeta(meta); err != nil {
		return err
	}
	d.change(client, session, func(s *localSession) PresenceEventKind {
		s.meta = maps.Clone(meta)
		return PresenceUpdated
	})
	return nil
}

// change changes a session, unless it is not in the directory. do returns 0 if
// nothing changes.
func (d *directory) change(client, session string, do func(*localSession) PresenceEventKind) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.clients[client]
	if c == nil {
		return
	}
	if i := c.find(session); i >= 0 {
		if kind := do(&c.sessions[i]); kind != 0 {
			d.event(kind, client, c.sessions[i])
		}
	}
}

func (d *directory) event(kind PresenceEventKind, client string, s localSession) {
	d.config.changed(PresenceEvent{Kind: kind, Node: d.config.self.ID, NodeName: d.config.self.Name, Presence: d.presence(client, s)})
}

// presence returns what is told of a session. Its metadata is shared and never
// changes.
func (d *directory) presence(client string, s localSession) Presence {
	return Presence{
		Client: client, Node: d.config.self.ID, NodeName: d.config.self.Name, Since: time.UnixMicro(s.since),
		Detached: s.detached, Meta: s.meta, session: s.name, order: s.order,
	}
}

// local returns the connections of a client to this node, the newest first.
func (d *directory) local(client string) (all []Presence) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.clients[client]; c != nil {
		for _, s := range slices.Backward(c.sessions) {
			all = append(all, d.presence(client, s))
		}
	}
	return all
}

// localSession returns a session of a client of this node: the newest for i = 0,
// the one before for i = 1, and so on.
func (d *directory) localSession(client string, i int) (session string, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.clients[client]
	if c == nil || i >= len(c.sessions) {
		return "", false
	}
	return c.sessions[len(c.sessions)-1-i].name, true
}

// nodeGone forgets what a node has answered.
func (d *directory) nodeGone(id NodeID) { d.cache.forgetNode(id) }

// heard forgets what an event of another node contradicts.
func (d *directory) heard(e PresenceEvent) {
	if e.Kind == PresenceJoined || e.Kind == PresenceLeft {
		d.cache.forget(e.Presence.Client)
	}
}

// forget drops a cached answer that has turned out to be wrong.
func (d *directory) forget(client string) { d.cache.forget(client) }

// close removes all clients. The others learn of it from members.leave.
func (d *directory) close() {
	d.stopChange()
	d.mu.Lock()
	clients := d.clients
	d.clients = make(map[string]*localClient)
	d.closed = true
	d.claims.stop()
	subs := make([]BusSubscription, 0, len(clients))
	for _, c := range clients {
		subs = append(subs, c.sub)
	}
	d.mu.Unlock()
	for _, sub := range subs {
		closeSubscription(sub)
	}
}
