package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/tests/internal/notes"
)

// Bars.
const (
	mostUntilRight = 3 * time.Second         // until the directory is right
	mostUntilKnown = 1500 * time.Millisecond // until the death of a node is known
	mostUntilEnded = time.Second             // from then on, until its calls have ended
	mostAtOnce     = 500 * time.Millisecond  // for an error that comes at once
)

// cutLinks breaks links of clients, in all ways that networks do.
func cutLinks(ctx context.Context, w *world) error {
	select {
	case <-w.links.Arm(w.cuts):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	w.notes = append(w.notes, w.links.Report())
	return w.settle(ctx)
}

// killServer kills a server, and starts another in its place.
func killServer(ctx context.Context, w *world) error {
	p := w.fleet.places[0]
	dead, err := w.at(p)
	if err != nil {
		return err
	}
	at := time.Now()
	p.kill()
	w.losable = len(dead)
	w.allowed = lostWith(dead, at, at.Add(mostUntilKnown+mostUntilEnded))
	if err := w.settle(ctx); err != nil {
		return err
	}
	if err := notes.Pause(ctx, w.calm); err != nil {
		return err
	}
	if err := w.fleet.replace(p); err != nil {
		return err
	}
	return w.settle(ctx)
}

// lostWith allows calls of clients to fail whose node has died, and calls to them,
// from a time on and until another one. A call to a client that is not connected
// again is told so.
func lostWith(clients map[string]bool, from, to time.Time) func(notes.Error) bool {
	return func(e notes.Error) bool {
		who, reverse := e.Who, false
		if _, client, to := strings.Cut(e.Who, " to "); to {
			who, reverse = client, true
		}
		switch {
		case !clients[who] || e.Ended < from.UnixMilli() || e.Ended > to.UnixMilli():
			return false
		case e.Code == rpc.CodeNotFound:
			return reverse && e.Began >= from.UnixMilli()
		}
		return e.Code == rpc.CodeUnavailable
	}
}

// deploy replaces all servers, one after the other.
func deploy(ctx context.Context, w *world) error {
	for _, p := range w.fleet.places {
		if err := w.fleet.restart(p); err != nil {
			return err
		}
		if err := w.settle(ctx); err != nil {
			return err
		}
		if err := notes.Pause(ctx, w.calm/2); err != nil {
			return err
		}
	}
	return nil
}

func natsAwayShortly(ctx context.Context, w *world) error { return w.natsAway(ctx, time.Second) }

func natsAwayLong(ctx context.Context, w *world) error { return w.natsAway(ctx, w.away) }

// natsAway kills NATS, and starts it again after a while. A client that connects
// in between is not known to the other nodes, which say so at once.
func (w *world) natsAway(ctx context.Context, d time.Duration) error {
	w.fleet.nats.kill()
	end := time.Now().Add(d)
	w.gaps = true
	if err := notes.Pause(ctx, d/2); err != nil {
		return err
	}
	if err := w.visit(ctx, "stranger"); err != nil {
		return err
	}
	if err := w.askStranger(ctx, "stranger"); err != nil {
		return err
	}
	if err := notes.Pause(ctx, time.Until(end)); err != nil {
		return err
	}
	if err := w.fleet.nats.start(); err != nil {
		return err
	}
	if err := w.settle(ctx); err != nil {
		return err
	}
	return w.depart("stranger")
}

// askStranger asks all servers for a client that only one of them can know. That
// one learns of the client a moment after it is connected.
func (w *world) askStranger(ctx context.Context, name string) error {
	for end := time.Now().Add(mostAtOnce); ; {
		known, wrong, err := w.strangerAt(name)
		if err != nil {
			return err
		}
		if known == 1 || time.Now().After(end) {
			if known != 1 {
				wrong = append(wrong, fmt.Sprintf("%d servers reach a client that is connected to one, without NATS", known))
			}
			w.wrong = append(w.wrong, wrong...)
			return nil
		}
		if err := notes.Pause(ctx, poll); err != nil {
			return err
		}
	}
}

// strangerAt returns how many servers reach a client, and what is wrong with the
// answers of the others.
func (w *world) strangerAt(name string) (known int, wrong []string, err error) {
	for _, p := range w.fleet.places {
		var a answer
		if _, err := p.ask("ask "+name, &a); err != nil {
			return 0, nil, err
		}
		switch {
		case a.Call == rpc.CodeOK && a.Client == name:
			known++
		case a.Call != rpc.CodeUnavailable || a.Took > mostAtOnce:
			wrong = append(wrong, fmt.Sprintf("%s says of a client that it cannot know: %+v", p.config.Name, a))
		}
	}
	return known, wrong, nil
}

// frozenFor is how long a node is frozen, or cut off.
const frozenFor = 5 * time.Second

// freeze stops a process, which is dead to all others for a while.
func freeze(ctx context.Context, w *world) error {
	p := w.fleet.places[0]
	frozen, err := w.at(p)
	if err != nil {
		return err
	}
	at := time.Now()
	w.losable = len(frozen)
	w.allowed = lostWith(frozen, at, at.Add(frozenFor+mostUntilRight))
	p.mu.Lock() // nothing can ask it
	err = p.signal(syscall.SIGSTOP)
	waited := notes.Pause(ctx, frozenFor)
	err = errors.Join(err, waited, p.signal(syscall.SIGCONT))
	p.mu.Unlock()
	if err != nil {
		return err
	}
	return w.settle(ctx)
}

// isolateNodes cuts all nodes from each other. They reach NATS, and clients.
func isolateNodes(ctx context.Context, w *world) error {
	at := time.Now()
	w.allowed = func(e notes.Error) bool { // calls that need two nodes
		return strings.Contains(e.Who, " to ") && e.Code == rpc.CodeUnavailable &&
			e.Ended >= at.UnixMilli() && e.Ended <= at.Add(frozenFor+mostUntilRight).UnixMilli()
	}
	for _, p := range w.fleet.places {
		p.toNodes.Block()
	}
	if err := notes.Pause(ctx, frozenFor); err != nil {
		return err
	}
	for _, p := range w.fleet.places {
		p.toNodes.Unblock()
	}
	return w.settle(ctx)
}

// isolateFromNATS cuts one node from NATS. It reaches the other nodes.
func isolateFromNATS(ctx context.Context, w *world) error {
	p := w.fleet.places[0]
	cut, err := w.at(p)
	if err != nil {
		return err
	}
	at := time.Now()
	unreachable := lostWith(cut, at, at.Add(frozenFor+mostUntilRight))
	w.allowed = func(e notes.Error) bool { // calls of other nodes
		caller, _, toClient := strings.Cut(e.Who, " to ")
		return toClient && caller != p.config.Name && unreachable(e)
	}
	w.gaps = true
	p.toNATS.Block()
	if err := notes.Pause(ctx, frozenFor); err != nil {
		return err
	}
	p.toNATS.Unblock()
	return w.settle(ctx)
}

// slowFor is how long slow subscribers follow, and slowPace how long they take
// for an item.
const (
	slowFor  = 6 * time.Second
	slowPace = 200 * time.Millisecond
)

// slowSubscribers makes some clients follow the topics slowly, too.
func slowSubscribers(ctx context.Context, w *world) error {
	w.gaps = true
	for n := range w.settings.clients {
		if n%5 == 0 {
			w.clients.subscribe(w.clients.all[clientName(n)], news, slowPace, time.Now().Add(slowFor))
		}
	}
	if err := notes.Pause(ctx, slowFor); err != nil {
		return err
	}
	return w.settle(ctx)
}
