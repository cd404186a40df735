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

// lookup finds the newest connection of a client as this node knows it: an
// answer of its node counts for 30 s. CodeNotFound: it has none.
// CodeUnavailable: the bus or the client's node does not answer.
func (d *directory) lookup(ctx context.Context, client string) (Presence, error) {
	k, err := d.recall(client)
	switch {
	case err != nil:
		return Presence{}, err
	case k.fresh && len(k.local) == 0:
		return k.cached.clone(), nil
	}
	return d.search(ctx, client, k)
}

// confirm is lookup, but asks the client's node in any case, unless it is this
// one or the bus is unavailable.
func (d *directory) confirm(ctx context.Context, client string) (Presence, error) {
	k, err := d.recall(client)
	if err != nil {
		return Presence{}, err
	}
	return d.search(ctx, client, k)
}

// knownClient is what a node knows of a client without a question.
type knownClient struct {
	local     []Presence // connections to this node, the newest first
	cached    Presence   // the last answer
	hasCached bool
	fresh     bool // the last answer counts
}

func (d *directory) recall(client string) (k knownClient, err error) {
	if err := checkClientName(client); err != nil {
		return k, err
	}
	k.local = d.local(client)
	k.cached, k.fresh, k.hasCached = d.cache.get(client)
	if k.hasCached && !d.config.lives(k.cached.Node) {
		d.cache.forget(client)
		k.hasCached, k.fresh = false, false
	}
	return k, nil
}

// search finds the newest connection of a client by a question. What is known
// counts if the bus is unavailable.
func (d *directory) search(ctx context.Context, client string, k knownClient) (Presence, error) {
	if len(k.local) > 0 && d.config.several == Newest {
		return k.local[0].clone(), nil
	}
	all, err := d.ask(ctx, client)
	if rpc.CodeOf(err) == rpc.CodeNotFound && !d.config.complete() {
		err = errIncomplete
	}
	switch {
	case errors.Is(err, ErrBusUnavailable) && len(k.local) > 0:
		return k.local[0].clone(), nil
	case errors.Is(err, ErrBusUnavailable) && k.hasCached:
		return k.cached.clone(), nil
	case rpc.CodeOf(err) == rpc.CodeNotFound:
		d.cache.forget(client)
	}
	if err != nil {
		return Presence{}, err
	}
	newest := slices.MaxFunc(all, compareJoins)
	d.cache.put(newest)
	return newest.clone(), nil
}

// errIncomplete is returned for a client that is not found while some nodes may
// not have the bus yet, which has just returned.
var errIncomplete = rpc.Errorf(rpc.CodeUnavailable, "cluster: the bus has just returned, and not to all nodes: %w", ErrBusUnavailable)

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
