//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// row is an event at a proxy, or at the servers behind it, under load.
type row struct {
	kind kind
	what string
	run  func(context.Context, settings) (result, error)

	silent bool // there is no load
}

// result is the result of a row.
type result struct {
	clientSees, serverSees string
	lost                   int64 // links
	small, large           int   // calls done
	failed                 int   // calls
}

// kinds returns the proxies.
func kinds(caddyPath string) []kind {
	return []kind{nginx{}, haproxy{}, caddy{path: caddyPath}}
}

// rows returns the rows of the table.
func rows(kinds []kind) (all []row) {
	for _, k := range kinds {
		for _, u := range k.upsets() {
			all = append(all, row{kind: k, what: u.what, run: func(ctx context.Context, s settings) (result, error) {
				return s.upset(ctx, k, u)
			}})
		}
		all = append(all,
			row{kind: k, what: "servers are replaced one after the other",
				run: func(ctx context.Context, s settings) (result, error) { return s.deploy(ctx, k, upset{}) }},
			row{kind: k, what: "the same, and the proxy is reloaded each time",
				run: func(ctx context.Context, s settings) (result, error) { return s.deploy(ctx, k, k.upsets()[0]) }})
		for _, i := range []idle{tooLong, inTime} {
			all = append(all, row{kind: k, silent: true,
				what: fmt.Sprintf("%v of silence, `%s` %v, keepalive %v", silence, k.silence(), i.timeout, i.keepalive),
				run:  func(ctx context.Context, _ settings) (result, error) { return i.run(ctx, k) }})
		}
	}
	return all
}

// between is how long the load goes on after each upset. Old processes linger
// for less.
const between = linger + 1500*time.Millisecond

// upset is a row with an event at the proxy.
func (s settings) upset(ctx context.Context, k kind, u upset) (result, error) {
	return s.underLoad(ctx, k, func(t *traffic) error {
		times := s.times
		if u.once {
			times = 1
		}
		for range times {
			for _, kind := range []string{quiet, busy} {
				stop, err := t.watch.send(ctx, t.proxy, kind)
				if err != nil {
					return err
				}
				defer stop()
			}
			if err := u.do(ctx, t.proxy); err != nil {
				return err
			}
			pause(ctx, between)
		}
		if t.linksLost.Load() == 0 {
			return errNothing
		}
		return nil
	})
}

// deploy is a row in which the servers are replaced. There may be an event at
// the proxy while each server drains.
func (s settings) deploy(ctx context.Context, k kind, meanwhile upset) (result, error) {
	return s.underLoad(ctx, k, func(t *traffic) error {
		t.idleMayGo = meanwhile.do != nil
		for i := range s.roll {
			upsetting := make(chan error, 1)
			go func() {
				if meanwhile.do == nil {
					upsetting <- nil
					return
				}
				pause(ctx, drainSpread/2)
				upsetting <- meanwhile.do(ctx, t.proxy)
			}()
			if err := errors.Join(t.replace(ctx, i), <-upsetting); err != nil {
				return fmt.Errorf("server %d: %w", i+1, err)
			}
			pause(ctx, between) // the proxy needs time to find the next one healthy
		}
		if s.roll == servers && t.met.Load() < 2*clients {
			return errors.New("connections have not moved, so nothing was shown")
		}
		t.watch.client.add(t.ends.String())
		return nil
	})
}

// underLoad runs an event while calls are made, and counts their results.
func (s settings) underLoad(ctx context.Context, k kind, happen func(*traffic) error) (r result, err error) {
	t, err := arrange(ctx, k, s.seed)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	if err := t.begin(ctx); err != nil {
		return r, err
	}
	err = happen(t)
	err = errors.Join(err, t.finish(), t.verdict())
	small, large := t.small.Totals(), t.large.Totals()
	return result{
		clientSees: t.watch.client.String(),
		serverSees: t.watch.server.String(),
		lost:       t.linksLost.Load(),
		small:      done(small),
		large:      done(large),
		failed:     small.Failed + large.Failed,
	}, err
}
