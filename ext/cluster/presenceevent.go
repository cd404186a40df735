package cluster

// PresenceEventKind says what has happened to a client or a node.
type PresenceEventKind int

// What may happen.
const (
	PresenceJoined   PresenceEventKind = iota + 1 // a client has connected
	PresenceLeft                                  // a connection of a client has ended
	PresenceDetached                              // the link is lost; the session may be resumed
	PresenceResumed                               // the session is resumed
	PresenceUpdated                               // the metadata has changed
	PresenceNodeGone                              // a node is gone, and with it its clients
	PresenceMissed                                // events before this one were missed: list the clients of the node, or of all if Node is zero
)

// PresenceEvent is a change in the directory of clients.
type PresenceEvent struct {
	Kind     PresenceEventKind
	Node     NodeID // whose clients it is about
	NodeName string
	Presence Presence // after the change; none for PresenceNodeGone and PresenceMissed
}
