package cluster

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/parley-rpc/parley/rpc"

	clusterv1 "github.com/parley-rpc/parley/ext/cluster/internal/gen/parley/cluster/v1"
)

const (
	lookupTimeout = time.Second
	lookupQuiet   = 50 * time.Millisecond // after a reply, the next one comes within this
)

// lookup finds the newest connection of a client. CodeNotFound: it has none.
// CodeUnavailable: the bus or the client's node does not answer.
func (d *directory) lookup(ctx context.Context, client string) (Presence, error) {
	if err := checkClientName(client); err != nil {
		return Presence{}, err
	}
	local := d.local(client)
	if len(local) > 0 && d.config.several == Newest {
		return local[0].clone(), nil
	}
	cached, fresh, ok := d.cache.get(client)
	if ok && !d.config.lives(cached.Node) {
		d.cache.forget(client)
		ok = false
	}
	if ok && fresh && len(local) == 0 {
		return cached.clone(), nil
	}
	all, err := d.ask(ctx, client)
	if errors.Is(err, ErrBusUnavailable) {
		switch {
		case len(local) > 0:
			return local[0].clone(), nil
		case ok:
			return cached.clone(), nil
		}
	}
	if err != nil {
		return Presence{}, err
	}
	newest := slices.MaxFunc(all, compareJoins)
	d.cache.put(newest)
	return newest.clone(), nil
}

// lookupAll finds all connections of a client, the newest first.
func (d *directory) lookupAll(ctx context.Context, client string) ([]Presence, error) {
	if err := checkClientName(client); err != nil {
		return nil, err
	}
	all, err := d.ask(ctx, client)
	if errors.Is(err, ErrBusUnavailable) {
		if local := d.local(client); len(local) > 0 {
			return local, nil
		}
	}
	slices.SortFunc(all, func(p, q Presence) int { return compareJoins(q, p) })
	return all, err
}

// ask asks the nodes that have a client. The result is not empty without an
// error.
func (d *directory) ask(ctx context.Context, client string) (all []Presence, err error) {
	data, err := clientMessage{kind: clusterv1.ClientMessage_KIND_LOOKUP, client: client, node: d.config.self.ID}.marshal()
	if err != nil {
		return nil, rpc.Errorf(rpc.CodeInternal, "cluster: lookup: %w", err)
	}
	asking, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	var quiet *time.Timer // set by the first reply
	d.lookups.Add(1)
	for reply, err := range d.config.bus.Request(asking, clientSubject(d.config.prefix, client), data) {
		if err != nil {
			if len(all) == 0 {
				err = lookupError(ctx, client, err, quiet != nil)
				if rpc.CodeOf(err) == rpc.CodeUnavailable {
					d.lookupsFailed.Add(1)
				}
				return nil, err
			}
			break
		}
		found, err := parsePresences(reply, client)
		if err != nil {
			d.config.log.Warn("an answer is ignored", "err", err)
			continue
		}
		if all = append(all, found...); len(all) > 0 && d.config.several == Newest || len(all) >= maxPresences {
			break
		}
		if quiet == nil {
			quiet = time.AfterFunc(lookupQuiet, cancel)
			defer quiet.Stop()
		} else {
			quiet.Reset(lookupQuiet)
		}
	}
	if len(all) == 0 {
		return nil, lookupError(ctx, client, ErrNoSubscribers, false)
	}
	return all, nil
}

// lookupError returns the status of a lookup that found nothing. Nodes that
// answered have said that the client has just left.
func lookupError(ctx context.Context, client string, err error, answered bool) error {
	switch {
	case errors.Is(err, ErrBusUnavailable):
		return rpc.Errorf(rpc.CodeUnavailable, "cluster: client %.100q cannot be looked up: %w", client, err)
	case errors.Is(err, ErrNoSubscribers), answered && ctx.Err() == nil:
		return rpc.Errorf(rpc.CodeNotFound, "cluster: client %.100q is not connected", client)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return rpc.Errorf(rpc.CodeDeadlineExceeded, "cluster: lookup of client %.100q: %w", client, ctx.Err())
	case ctx.Err() != nil:
		return rpc.Errorf(rpc.CodeCanceled, "cluster: lookup of client %.100q: %w", client, ctx.Err())
	case errors.Is(err, context.DeadlineExceeded):
		return rpc.Errorf(rpc.CodeUnavailable, "cluster: client %.100q: its node does not answer", client)
	}
	return rpc.Errorf(rpc.CodeUnavailable, "cluster: lookup of client %.100q: %w", client, err)
}
