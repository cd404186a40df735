package main

import (
	"context"
	"hash/crc32"
	"time"

	"github.com/parley-rpc/parley/rpc"
)

// attack is one kind of attack.
type attack struct {
	name      string
	attackers int
	// once attacks until the server ends the connection, or ctx does.
	once func(ctx context.Context, addr string, n *tally) error
	unit string // what is counted
	// arrival is how long the attackers take to arrive, if longer than
	// usualArrival.
	arrival time.Duration
	// most is how many bytes the attack may add to the server's memory; 0:
	// mostMemory.
	most int64
	// beside, if non-nil, starts a bystander that the attack also affects. It
	// sends the attackers the secrets stolen from it.
	beside func(ctx context.Context, addr string, tell func(*secret)) bystander
	// server is the options of the server, besides the defaults.
	server []rpc.ServerOption
}

// control is no attack: the attackers compute, and do not connect. So they are
// there at once.
var control = attack{name: "control", attackers: 4, once: compute, unit: "sums", arrival: 100 * time.Millisecond}

func compute(ctx context.Context, _ string, n *tally) error {
	buf := make([]byte, 1<<20)
	for ctx.Err() == nil {
		crc32.ChecksumIEEE(buf)
		n.units.Add(1)
	}
	return nil
}

// attacks are made in this order.
var attacks = []attack{
	{name: "rapid-reset", attackers: 4, once: rapidReset, unit: "streams opened and reset"},
	{name: "ping-flood", attackers: 4, once: pingFlood, unit: "PINGs"},
	{name: "slow-reader", attackers: 20, once: slowReader, unit: "streams that are not read"},
	{name: "slow-handshake", attackers: 1000, once: slowHandshake, unit: "bytes of handshakes"},
	{name: "half-open", attackers: 1000, once: halfOpen, unit: "handshakes that go no further"},
	{name: "no-hello", attackers: 1000, once: noHello, unit: "links without a HELLO"},
	{name: "idle-streams", attackers: 8, once: idleStreams, unit: "streams held open"},
	{name: "claimed-credit", attackers: 16, once: claimedCredit, arrival: 3 * time.Second, unit: "streams with windows that have grown"},
	{name: "header-bomb", attackers: 4, once: headerBomb, unit: "headers of 16 KiB"},
	{name: "large-header", attackers: 4, once: largeHeader, unit: "headers over the limit"},
	{name: "gzip-bomb", attackers: 4, once: gzipBomb, unit: "messages that inflate to 256 MiB"},
	{name: "wrapped-ids", attackers: 4, once: wrappedIDs, unit: "sessions ended with 1002"},
	{name: "hijack", attackers: 4, once: hijack, unit: "attempts", beside: robbed},
	{name: "flapping", attackers: 4, once: flap, unit: "links cut"},
	{name: "flapping-full", attackers: 4, once: flapFull, unit: "links cut with answers under way", most: mostKept},
	{name: "inflation", attackers: 1, once: inflate, unit: "messages that inflate to 4 MiB"},
	{name: "unfinished", attackers: 1, once: unfinished, unit: "messages of 4 MiB without their last byte"},
	{name: "detached", attackers: 16, once: detach, unit: "links cut with 512 KiB half-sent", server: littleAway},
	{name: "detached-crowd", attackers: 4, once: flap, unit: "links cut", beside: sleep, server: fewAway},
	{name: "handshakes", attackers: 2000, once: floodHandshakes, unit: "handshakes from one address", beside: comeAndGo},
	{name: "hoarded-header", attackers: 4, once: hoardHeaders, unit: "connections with headers of 900 KiB", most: 96 << 20},
	{name: "reflection", attackers: 1, once: askLong, unit: "questions of 4 MiB"},
	{name: "acknowledge", attackers: 2, once: ackFlood, unit: "ACKs"},
	{name: "never-acknowledge", attackers: 4, once: neverAcknowledge, unit: "sessions that acknowledge nothing", most: mostUnacknowledged, server: littleReplay},
	{name: "acknowledge-and-hold", attackers: 4, once: acknowledgeAndHold, arrival: 3 * time.Second, unit: "sessions that acknowledge much and then nothing", most: mostUnacknowledged, server: littleReplay},
	{name: "acknowledge-slowly", attackers: 4, once: acknowledgeSlowly, arrival: 3 * time.Second, unit: "sessions that acknowledge much and then read slowly", most: mostUnacknowledged, server: littleReplay},
	{name: "acknowledge-unread", attackers: 4, once: acknowledgeUnread, unit: "sessions that acknowledge what was not sent", most: mostUnacknowledged, server: littleReplay},
}

// The bounds of detached sessions are low enough for attackers to reach them in
// one turn.
var (
	fewAway    = []rpc.ServerOption{rpc.WithResumption(rpc.Resumption{MaxDetached: 500})}
	littleAway = []rpc.ServerOption{rpc.WithResumption(rpc.Resumption{MaxDetachedBytes: 64 << 20})}
)

// littleReplay has all connections keep 64 MiB beyond 256 KiB for each.
var littleReplay = []rpc.ServerOption{
	rpc.WithResumption(rpc.Resumption{ReplayLimit: 256 << 10, MaxReplay: 32 << 20}),
	rpc.WithLimits(rpc.Limits{MaxReplayMemory: 64 << 20}),
}

// mostUnacknowledged bounds the memory of 128 sessions whose peers acknowledge
// nothing. The garbage collector lets the heap grow to twice what is in use:
// 64 MiB for all, and 512 KiB for each.
const mostUnacknowledged = 256 << 20

// robbed starts a victim.
func robbed(ctx context.Context, addr string, tell func(*secret)) bystander {
	return newVictim(ctx, addr, tell)
}

// limit is how many bytes the attack may add to the server's memory.
func (a *attack) limit() int64 {
	if a.most == 0 {
		return mostMemory
	}
	return a.most
}

// arriving returns how long the attackers take to arrive.
func (a *attack) arriving() time.Duration {
	if a.arrival == 0 {
		return usualArrival
	}
	return a.arrival
}

// named returns the attack of that name.
func named(name string) (attack, bool) {
	for _, a := range append(attacks, control) {
		if a.name == name {
			return a, true
		}
	}
	return attack{}, false
}
