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
	l       *subConn
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
func (l *subConn) connectOnce(a *dialAttempt, urls []string) (*Conn, error) {
	if len(urls) == 1 {
		return l.dial(a.ctx, a, urls[0])
	}
	ctx, cancel := context.WithCancel(a.ctx)
	defer cancel()
	r := race{l: l, a: a, ctx: ctx, urls: urls, results: make(chan raceResult)}
	r.next()
	patience := time.NewTimer(raceDelay)
	defer patience.Stop()
	var err error
	for r.running > 0 {
		select {
		case lap := <-r.results:
			if lap.err == nil {
				return lap.conn, nil
			}
			r.running--
			if err == nil || errorRank(lap.err) >= errorRank(err) {
				err = lap.err
			}
		case <-patience.C:
		case <-ctx.Done():
			return nil, errClientClosed
		}
		r.next()
		patience.Reset(raceDelay)
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
	r.l.dials.start(&r.l.c.workers, func() {
		conn, err := r.l.dial(r.ctx, r.a, u)
		select {
		case r.results <- raceResult{conn, err}:
		case <-r.ctx.Done(): // another URL has won
			if err == nil {
				r.l.discard(conn)
			}
		}
	})
}
