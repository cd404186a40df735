package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/tests/internal/faulty"
	"github.com/parley-rpc/parley/tests/internal/load"
	"github.com/parley-rpc/parley/tests/internal/rig"
	"github.com/parley-rpc/parley/transport"
)

// network is where links are cut.
type network struct {
	name    string
	path    faulty.Path
	cuts    int
	clients int
	most    int64 // bytes between two faults of a connection, at most
	book    *load.Book
	options []rpc.Option // of both ends
	// large is how many bytes were on the way in one direction of some links
	// when they broke, if many broke.
	large int64
}

// manyCuts is so many that some of them are in the middle of much data.
const manyCuts = 100

// farDelay is the delay of far networks, in each direction.
const farDelay = 25 * time.Millisecond

const (
	// fullRate is the rate of a full network, in bytes a second. It takes more
	// than half a second to carry what a session has in flight, so many links
	// are full when they break.
	fullRate = 50 << 20
	// fullReplay is the ReplayLimit in a full network, in bytes. A session has
	// twice as much in flight on a new link, which is MaxReplay.
	fullReplay = 16 << 20
	// fullWindow is the InitialWindow there, in bytes: a few streams fill a
	// link at once.
	fullWindow = 16 << 20
	// fullMessage is for how many of the bytes between two faults a stream has
	// a message there, at most.
	fullMessage = 2 << 10
	// fullShare is how many of the connections a full network has, as a
	// fraction. Each takes 128 MiB.
	fullShare = 4
)

// networks returns a near network with mostly small messages, which has half of
// the cuts, and two far ones. In one of these, links hold what they do by
// default; in the other, as much as a session may have in flight.
func (s settings) networks() []network {
	far := s.cuts / 4
	return []network{
		{name: "near", cuts: s.cuts - 2*far, clients: s.clients, most: s.most, book: load.NewBook()},
		{
			name:    "far",
			path:    faulty.Path{Delay: farDelay},
			cuts:    far,
			clients: s.clients,
			most:    32 * s.most,
			book:    load.NewBulkBook(),
			large:   1 << 20,
		},
		{
			name:    "full",
			path:    faulty.Path{Delay: farDelay, Rate: fullRate},
			cuts:    far,
			clients: max(s.clients/fullShare, 1),
			most:    32 * s.most,
			book:    load.NewFullBook(int(max(s.most/fullMessage, 1))),
			options: []rpc.Option{rpc.WithTransport(fullTransport())},
			large:   24 << 20,
		},
	}
}

// fullTransport returns the parameters of both ends of a full network.
func fullTransport() transport.Parameters {
	p := rig.Transport(0)
	p.MaxStreams = 64
	p.InitialWindow = fullWindow
	p.ReplayLimit, p.MaxReplay = fullReplay, 2*fullReplay
	return p
}

// reportLosses prints what was on the way when links broke, and returns an
// error if that was too little to show anything.
func (n network) reportLosses(out io.Writer, losses []int64) error {
	if n.large == 0 || len(losses) == 0 {
		return nil
	}
	large := 0
	for _, lost := range losses {
		if lost > n.large {
			large++
		}
	}
	fmt.Fprintf(out, "%.1f MiB were on the way in one direction when a link broke, at most; more than %d MiB at %d links\n",
		float64(slices.Max(losses))/(1<<20), n.large>>20, large)
	if large == 0 && n.cuts >= manyCuts {
		return errors.New("links broke only with little on the way")
	}
	return nil
}
