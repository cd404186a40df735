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

// full returns a mix of large messages and some small ones, with up to so many
// in a stream. Of 256, a stream carries 25 MB on average: enough to fill a path.
func full(most int) mix {
	return mix{
		service: "parley.tests.v1.FullLoadService",
		count:   func(r *rand.Rand) int { return 1 + r.IntN(most) },
		size: func(r *rand.Rand) int {
			if r.IntN(4) == 0 {
				return small.size(r)
			}
			return large.size(r)
		},
	}
}

// large has messages that all take many frames.
var large = mix{
	service: "parley.tests.v1.LargeLoadService",
	count:   func(r *rand.Rand) int { return 1 + r.IntN(16>>r.IntN(3)) },
	size:    func(r *rand.Rand) int { return leastLarge + r.IntN((mostLarge-leastLarge)>>r.IntN(4)) },
}
