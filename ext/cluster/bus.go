package cluster

import (
	"context"
	"errors"
	"iter"
	"slices"
)

// Bus carries small messages among the nodes of a cluster: membership, the
// directory of clients, and topics. Package natsbus has one for NATS. A message
// reaches each subscription at most once. Those of one publisher arrive in the
// order in which they were published. Any goroutine may call its methods.
//
// A subject consists of tokens of the characters A-Z, a-z, 0-9, "-" and "_",
// with dots between them. Neither a subject nor its tokens are empty, and a
// subject has at most 255 bytes. There are no wildcards. A node receives what it
// publishes itself.
type Bus interface {
	// Publish sends data to the subscriptions of a subject. It does not block
	// for the network, and keeps no reference to data. The error says that data
	// surely was not sent, such as ErrBusUnavailable.
	Publish(subject string, data []byte) error

	// Subscribe makes receive get what is published to a subject, one message
	// at a time. receive must not block nor keep the message's Data. What is
	// published after Subscribe has returned arrives, as long as the bus is
	// available.
	Subscribe(subject string, receive func(BusMessage)) (BusSubscription, error)

	// Request sends data to the subscriptions of a subject, and ranges over
	// their replies. ErrNoSubscribers is the only item if nothing subscribes to
	// the subject, ErrBusUnavailable if the bus cannot tell. The sequence ends
	// with ctx, whose error is the last item. The caller decides when it has
	// enough replies.
	Request(ctx context.Context, subject string, data []byte) iter.Seq2[[]byte, error]

	// Available reports whether the bus works at the moment. Subscriptions last
	// while it does not.
	Available() bool

	// OnChange calls f when Available changes, and when messages may have been
	// lost in between. f must not block. There may be several functions. stop
	// ends the calls.
	OnChange(f func(BusChange)) (stop func())
}

// BusMessage is a message of a Bus.
type BusMessage struct {
	Data  []byte                  // valid until the function that receives it returns; must not be changed
	Reply func(data []byte) error // answers a Request; nil: none is expected
}

// BusSubscription is a subscription of a Bus.
type BusSubscription interface {
	// Close ends the subscription. receive may be running, and is not called
	// again afterwards.
	Close() error
}

// BusChange says what has happened to a Bus.
type BusChange struct {
	Available bool // whether the bus works from now on
	Lost      bool // messages for subscriptions of this end may have been lost
	// LostSubjects are the subjects of the subscriptions that Lost concerns; nil:
	// it concerns all.
	LostSubjects []string
}

// LostAll reports whether the messages of all subscriptions may have been lost.
func (c BusChange) LostAll() bool { return c.Lost && c.LostSubjects == nil }

// LostOf reports whether messages of a subject may have been lost.
func (c BusChange) LostOf(subject string) bool {
	return c.LostAll() || c.Lost && slices.Contains(c.LostSubjects, subject)
}

// lostOnly reports whether nothing has happened but a loss of some
// subscriptions.
func (c BusChange) lostOnly() bool { return c.Lost && !c.LostAll() }

// Errors of a Bus.
var (
	// ErrNoSubscribers says that nothing subscribes to the subject of a request.
	ErrNoSubscribers = errors.New("cluster: no subscribers")
	// ErrBusUnavailable says that the bus cannot be reached at the moment.
	ErrBusUnavailable = errors.New("cluster: the bus is unavailable")
)

// LogBus is a Bus that also keeps messages, for topics with history.
type LogBus interface {
	Bus

	// Append adds data to the log of a subject, and returns its number. It
	// returns when the bus has stored it. Numbers of a subject are positive and
	// ascend, but not by one. A log that is appended to the first time is made
	// with its limits; later appends keep them. A log that is made again after a
	// loss begins above all numbers of the one before, for example at the time in
	// microseconds: else a reader could not notice the loss.
	Append(ctx context.Context, subject string, limits LogLimits, data []byte) (number uint64, err error)

	// Read ranges over the log of a subject after a number, and continues with
	// what is appended until ctx ends or the bus cannot be reached: that error is
	// the last item. After 0 it begins with the oldest entry that is kept, which
	// is no gap. A reader that is so slow that entries are gone gets a Gap and
	// continues. If the number is above that of the newest entry, the log was
	// lost: there is a Gap before the oldest entry that is kept.
	Read(ctx context.Context, subject string, limits LogLimits, after uint64) iter.Seq2[LogEntry, error]

	// Last returns the number of the newest entry of a subject's log, which may
	// have expired; 0 if there was none.
	Last(ctx context.Context, subject string, limits LogLimits) (number uint64, err error)
}

// LogEntry is an entry of the log of a subject.
type LogEntry struct {
	Number uint64
	// Data is the reader's. It is nil if there is a Gap and no entry is kept
	// after it: then Number is that of the newest entry that is gone, or less
	// than that of the next one. A gap is told without waiting for an entry.
	Data []byte
	Gap  bool // entries between the one before, or the number that Read was given, and this one may be gone
}
