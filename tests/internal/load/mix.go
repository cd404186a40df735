package load

import "math/rand/v2"

// mix draws the numbers and sizes of a load's messages.
type mix struct {
	service string
	count   func(*rand.Rand) int // messages of one direction of a stream
	size    func(*rand.Rand) int // bytes of a message
}

// The sizes of messages in bytes.
const (
	mostSize   = 48 << 10
	rarelySize = 300 << 10
	leastLarge = 64 << 10
	mostLarge  = 1 << 20
)

// small has mostly short streams. All orders of magnitude of message sizes are
// equally likely; now and then a message takes many frames.
var small = mix{
	service: "parley.tests.v1.LoadService",
	count:   func(r *rand.Rand) int { return 1 + r.IntN(128>>r.IntN(6)) },
	size: func(r *rand.Rand) int {
		if r.IntN(200) == 0 {
			return rarelySize
		}
		return headSize + sumSize + r.IntN(mostSize>>r.IntN(11))
	},
}

// bulk has small messages and large ones on the same streams.
var bulk = mix{
	service: "parley.tests.v1.BulkLoadService",
	count:   small.count,
	size: func(r *rand.Rand) int {
		if r.IntN(2) == 0 {
			return large.size(r)
		}
		return small.size(r)
	},
}

// full has streams that carry 25 MB on average, of large messages and some
// small ones: enough to fill a path.
var full = mix{
	service: "parley.tests.v1.FullLoadService",
	count:   func(r *rand.Rand) int { return 1 + r.IntN(256) },
	size: func(r *rand.Rand) int {
		if r.IntN(4) == 0 {
			return small.size(r)
		}
		return large.size(r)
	},
}

// large has messages that all take many frames.
var large = mix{
	service: "parley.tests.v1.LargeLoadService",
	count:   func(r *rand.Rand) int { return 1 + r.IntN(16>>r.IntN(3)) },
	size:    func(r *rand.Rand) int { return leastLarge + r.IntN((mostLarge-leastLarge)>>r.IntN(4)) },
}
