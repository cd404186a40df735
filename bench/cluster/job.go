package main

import (
	"time"

	"github.com/parley-rpc/parley/bench/internal/proc"
)

// part is what a child process is.
type part string

const (
	natsPart    part = "nats"
	nodePart    part = "node"
	clientsPart part = "clients"
)

// job is what a child process is started with.
type job struct {
	Part part
	Kind nodeKind // of a node
	Name string   // of a node
	NATS string   // the URL, for a node that has a bus
}

// nodeKind is what a server knows of others.
type nodeKind string

const (
	plain     nodeKind = "plain"     // a Server without ext/cluster
	alone     nodeKind = "alone"     // a Node without a bus
	clustered nodeKind = "clustered" // a Node with NATS
)

// command is what the parent asks of a child.
type command struct {
	Do      string        // see the table of the part
	Client  string        // a name, or the beginning of names
	URLs    []string      // the servers that clients connect to, in turn
	Clients int           // how many
	Load    load          // for calls
	Rate    float64       // messages per second to publish
	Number  uint64        // of the first message, or how many there were
	For     time.Duration // how long to publish
	Profile string        // the base of a CPU profile's name
}

// answer is what a child answers.
type answer struct {
	Error    string // empty: none
	Address  string // of a server
	Calls    rate   // of a load
	Number   uint64 // of messages published
	Fan      fanOut // what subscribers got
	Usage    proc.Usage
	Messages int64 // that NATS has carried, in and out
}

// rate is a rate and the latencies of what was counted.
type rate struct {
	PerSecond float64
	P50, P99  time.Duration
}

// fanOut is what all subscribers of a topic got together.
type fanOut struct {
	Delivered uint64
	Told      uint64 // messages that are missing, and were told to be
	Hidden    uint64 // messages that are missing, and were not
	P50, P99  time.Duration
}

// answerOf is an answer with an error, if there is one.
func answerOf(a answer, err error) answer {
	if err != nil {
		a.Error = err.Error()
	}
	return a
}

// answering answers the parent's commands with do, except for those that begin
// and end a CPU profile.
func answering(do func(command) answer) error {
	var p proc.Profile
	return proc.Answer(func(c command) answer {
		switch c.Do {
		case beginProfile:
			return answerOf(answer{}, p.Begin(c.Profile))
		case endProfile:
			return answerOf(answer{}, p.End())
		}
		return do(c)
	})
}

const (
	beginProfile = "begin a profile"
	endProfile   = "end the profile"
)
