package rpc

import (
	"context"
	"time"
)

// raceDelay is how long a server may take to answer before the next URL is
// tried in parallel.
const raceDelay = time.Second

// race is one round of an attempt over several URLs.
type race struct {
	sc      *subConn
	a       *dialAttempt
	ctx     context.Context // canceled at the end of the round
	urls    []string        // not yet tried
	running int
	results chan raceResult
}

// raceResult is the result for one URL.
type raceResult struct {
	conn *Conn
	err  error
}

// connectOnce tries the URLs in order, each when the one before has failed or
// has not answered within raceDelay. The first session wins.
func (sc *subConn) connectOnce(a *dialAttempt, urls []string) (*Conn, error) {
	if len(urls) == 1 {
		return sc.dial(a.ctx, a, urls[0])
	}
	ctx, cancel := context.WithCancel(a.ctx)
	defer cancel()
	r := race{sc: sc, a: a, ctx: ctx, urls: urls, results: make(chan raceResult)}
	r.next()
	timer := time.NewTimer(raceDelay)
	defer timer.Stop()
	var err error
	for r.running > 0 {
		select {
		case result := <-r.results:
			if result.err == nil {
				return result.conn, nil
			}
			r.running--
			if err == nil || errorRank(result.err) >= errorRank(err) {
				err = result.err
			}
		case <-timer.C:
		case <-ctx.Done():
			return nil, errClientClosed
		}
		r.next()
		timer.Reset(raceDelay)
	}
	return nil, err
}

// next tries the next URL, if there is one.
func (r *race) next() {
	if len(r.urls) == 0 {
		return
	}
	u := r.urls[0]
	r.urls = r.urls[1:]
	r.running++
	r.sc.dials.start(&r.sc.c.workers, func() {
		conn, err := r.sc.dial(r.ctx, r.a, u)
		select {
		case r.results <- raceResult{conn, err}:
		case <-r.ctx.Done(): // another URL has won
			if err == nil {
				r.sc.discard(conn)
			}
		}
	})
}
