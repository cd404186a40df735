package cluster

import "google.golang.org/protobuf/proto"

// Delivery is what a subscriber gets: a message, a gap, or a message after a
// gap.
type Delivery[T proto.Message] struct {
	// Message belongs to the subscriber. It is nil if only a gap is told,
	// or only the position (WithStartPosition).
	Message T
	// Position is where to continue after this delivery.
	Position Position
	// Gap says what is missing before the message.
	Gap Gap
}

// Gap says that messages of a topic are missing. The zero value says that none
// are.
type Gap struct {
	Count   uint64 // messages that are missing
	Unknown bool   // there may be more than Count
}

// Missing reports whether messages are missing, or may be.
func (g Gap) Missing() bool { return g.Count > 0 || g.Unknown }

// plus returns a gap of both.
func (g Gap) plus(other Gap) Gap {
	return Gap{Count: g.Count + other.Count, Unknown: g.Unknown || other.Unknown}
}

// topicEvent is what all subscribers of a topic on a node share: a message, or a
// gap. It does not change.
type topicEvent struct {
	position   Position
	data       []byte // the encoded message
	hasMessage bool
	number     uint64 // with history: that of the entry
}
