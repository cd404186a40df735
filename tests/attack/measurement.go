package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/tests/internal/child"
	"github.com/parley-rpc/parley/tests/internal/rig"
)

const (
	// settling is how long the server has to recover once the attackers have
	// left.
	settling = 500 * time.Millisecond
	// warmUp is how long the client makes calls before anything is measured.
	warmUp = 300 * time.Millisecond
	// usualArrival is how long attackers take to arrive. For a server this is
	// the load of that many new clients, whatever they do later.
	usualArrival = time.Second
	// maxExtension is how many times the turns are taken again while their
	// ratio is too high: noise may spoil two turns of three.
	maxExtension = 2
)

// measurement is the measurement of one attack, on a server of its own.
type measurement struct {
	attack attack
	turns  int
	turn   time.Duration
	short  bool // only the attack: no quiet turns to compare with, and no wait for what remains

	server *child.Process
	client *rpc.Client // keeps the rules
	busy   child.Usage // of the server, while under attack: the sum
	figures

	mu        sync.Mutex
	attackers *child.Process
	stolen    string // the latest secret of the victim
	stopped   bool   // the attackers were stopped: the server used far too much memory
}

func (m *measurement) run(ctx context.Context) (_ *figures, err error) {
	m.figures.attack = m.attack
	if m.server, err = child.Start(serveVariable, "127.0.0.1:0 "+m.attack.name); err != nil {
		return nil, err
	}
	defer m.server.Kill()
	m.client = rpc.NewClient("ws://" + m.server.Ready + rig.Path)
	defer m.client.Close()                                  //nolint:errcheck // has nothing in flight
	if _, err := probe(ctx, m.client, warmUp); err != nil { // fills what is allocated once
		return nil, err
	}
	before, err := m.server.Usage()
	if err != nil {
		return nil, err
	}
	if m.attack.beside != nil {
		b := m.attack.beside(ctx, m.server.Ready, m.tell)
		defer func() {
			m.failed = errors.Join(m.failed, b.leave())
			m.beside = b.String()
		}()
	}
	for taken := 0; m.goesOn(taken); taken++ {
		if err := m.takeTurns(ctx, before); err != nil {
			return nil, err
		}
	}
	m.cpu = m.busy.CPU.Seconds() / (time.Duration(len(m.figures.under)) * (m.attack.arriving() + m.turn)).Seconds()
	if !m.short {
		pause(ctx, 2*time.Second)
	}
	after, err := m.server.Usage()
	m.after = after.Resident - before.Resident
	return &m.figures, err
}

// goesOn reports whether to take another turn. If the ratio is too high, all
// turns are taken again before it is judged.
func (m *measurement) goesOn(taken int) bool {
	switch {
	case m.stopped:
		return false
	case taken%m.turns != 0 || taken == 0:
		return true
	}
	return m.ratio() > worst && taken/m.turns <= maxExtension
}

// takeTurns takes a turn of each kind.
func (m *measurement) takeTurns(ctx context.Context, before child.Usage) error {
	if !m.short {
		if err := m.compare(ctx); err != nil {
			return err
		}
	}
	return m.suffer(ctx, before)
}

// compare takes the turns without an attack.
func (m *measurement) compare(ctx context.Context) error {
	quiet, err := probe(ctx, m.client, m.turn)
	if err != nil {
		return err
	}
	_, idle, _, err := m.under(ctx, control, m.turn/3)
	if err != nil {
		return err
	}
	m.figures.quiet = append(m.figures.quiet, quiet)
	m.figures.idle = append(m.figures.idle, idle)
	pause(ctx, settling)
	return nil
}

// suffer takes a turn under attack.
func (m *measurement) suffer(ctx context.Context, before child.Usage) error {
	at, err := m.server.Usage()
	if err != nil {
		return err
	}
	watched, stop := context.WithCancel(ctx)
	peak := make(chan int64)
	go func() { peak <- watch(watched, m.server, before.Resident+4*m.attack.limit(), m.stopAttackers) }()
	arriving, under, said, err := m.under(ctx, m.attack, m.turn)
	during, failed := m.server.Usage()
	stop()
	m.most = max(m.most, <-peak-before.Resident)
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	m.busy.CPU += during.CPU - at.CPU
	m.figures.arriving = append(m.figures.arriving, arriving)
	m.figures.under = append(m.figures.under, under)
	if m.stopped {
		return nil // the attackers could not report
	}
	if !m.short {
		pause(ctx, settling)
	}
	return m.did.add(said)
}

// stopAttackers ends the attackers before the server takes all memory of the
// machine.
func (m *measurement) stopAttackers() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stopped = true
	if m.attackers != nil {
		m.attackers.Abort()
	}
}

// under takes a turn with an attack. It returns the p99 while attackers arrive,
// and the p99 afterwards.
func (m *measurement) under(ctx context.Context, a attack, d time.Duration) (arriving, p99 time.Duration, said string, err error) {
	attackers, err := startAttackers(a, m.server.Ready)
	if err != nil {
		return 0, 0, "", err
	}
	m.meet(attackers)
	arriving, failed := probe(ctx, m.client, a.arriving())
	m.failed = errors.Join(m.failed, failed)
	p99, failed = probe(ctx, m.client, d)
	m.failed = errors.Join(m.failed, failed)
	m.meet(nil)
	return arriving, p99, attackers.End(), nil
}

// meet sends the victim's secrets to these attackers from now on.
func (m *measurement) meet(attackers *child.Process) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.attackers = attackers; attackers != nil && m.stolen != "" {
		attackers.Tell(m.stolen)
	}
}

// tell records a secret of the victim and sends it to the attackers.
func (m *measurement) tell(s *secret) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stolen = s.String()
	if m.attackers != nil {
		m.attackers.Tell(m.stolen)
	}
}

// watch returns the most memory that a process used until ctx ended. It calls
// stop, once, if that exceeds tooMuch.
func watch(ctx context.Context, p *child.Process, tooMuch int64, stop func()) (most int64) {
	for ctx.Err() == nil {
		if use, err := p.Usage(); err == nil {
			if most <= tooMuch && use.Resident > tooMuch {
				stop()
			}
			most = max(most, use.Resident)
		}
		pause(ctx, 20*time.Millisecond)
	}
	return most
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
