package cluster

import (
	"context"
	"iter"
	"sync"

	"github.com/parley-rpc/parley/rpc"
)

// Answer is the result of one call of CallAll.
type Answer[Res any] struct {
	Response *Res  // nil if there is an error
	Err      error // the status of the call
}

// callsAtOnce is how many calls of a CallAll are in flight.
const callsAtOnce = 64

// CallAll makes a unary call to each of some clients, wherever they are, 64 at
// once, and ranges over their names and answers as these arrive. A client that
// is not connected, or does not answer before the deadline of ctx or of opts, has
// an error as its answer and delays no other. Leaving the loop early cancels the
// calls.
func CallAll[Req, Res any](
	ctx context.Context, n *Node, clients []string, m *rpc.Method, req *Req, opts ...rpc.CallOption,
) iter.Seq2[string, Answer[Res]] {
	type result struct {
		client string
		answer Answer[Res]
	}
	return func(yield func(string, Answer[Res]) bool) {
		ctx, cancel := context.WithCancel(ctx)
		names, results := make(chan string, len(clients)), make(chan result)
		for _, name := range clients {
			names <- name
		}
		close(names)
		var workers sync.WaitGroup
		for range min(callsAtOnce, len(clients)) {
			workers.Go(func() {
				for name := range names {
					res, err := rpc.CallUnary[Req, Res](ctx, n.Client(name), m, req, opts...)
					results <- result{name, Answer[Res]{res, err}} // it is always received
				}
			})
		}
		go func() {
			workers.Wait()
			close(results)
		}()
		defer func() {
			cancel()
			for range results { // until the calls have ended
			}
		}()
		for r := range results {
			if !yield(r.client, r.answer) {
				return
			}
		}
	}
}
