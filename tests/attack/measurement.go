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
	// settling is how long the server has to get over attackers that have gone.
	settling = 500 * time.Millisecond
	// warmUp is how long the server is called before anything is measured.
	warmUp = 300 * time.Millisecond
	// usualArrival is how long attackers take to arrive: to a server that is
	// the load of so many new clients, whatever they are up to.
	usualArrival = time.Second
	// maxExtension is how many times the turns are taken again while their
	// ratio is too high: two turns of three may meet a spell of noise.
	maxExtension = 2
)

// measurement is of one attack, on a server of its own.
type measurement struct {
	attack attack
	turns  int
	turn   time.Duration
	short  bool // only the attack: no quiet turns to compare with, and no wait for what remains

	server *child.Process
	client *rpc.Client // behaves well
	busy   child.Usage // of the server, while under attack: the sum
	figures

	mu        sync.Mutex
	attackers *child.Process
	stolen    string // the latest secret of the victim
	stopped   bool   // the attackers, as the server has far too much memory
}

func (m *measurement) run(ctx context.Context) (_ *figures, err error) {
	m.figures.attack = m.attack
	if m.server, err = child.Start(serveVariable, "127.0.0.1:0 "+m.attack.name); err != nil {
		return nil, err
	}
	defer m.server.Kill()
	m.client = rpc.NewClient("ws://" + m.server.Ready + rig.Path)
	defer m.client.Close()                                  //nolint:errcheck // has nothing in flight
	if _, err := probe(ctx, m.client, warmUp); err != nil { // makes what is made only once
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

// goesOn reports whether there are more turns after as many. Where the ratio is
// too high, all turns are taken again before it is judged.
func (m *measurement) goesOn(taken int) bool {
	switch {
	case m.stopped:
		return false
	case taken%m.turns != 0 || taken == 0:
		return true
	}
	return m.ratio() > worst && taken/m.turns <= maxExtension
}

// takeTurns is a turn of each kind.
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
	_, idle, _, err := m.under(ctx, control, m.turn/2)
	if err != nil {
		return err
	}
	m.figures.quiet = append(m.figures.quiet, quiet)
	m.figures.idle = append(m.figures.idle, idle)
	pause(ctx, settling)
	return nil
}

// suffer takes the turn under attack.
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
		return nil // they could not say what they did
	}
	if !m.short {
		pause(ctx, settling)
	}
	return m.did.add(said)
}

// stopAttackers saves the machine from a server that takes all of its memory.
func (m *measurement) stopAttackers() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stopped = true
	if m.attackers != nil {
		m.attackers.Abort()
	}
}

// under is a turn in which there is an attack. It returns the p99 while
// attackers arrive, and the one afterwards.
func (m *measurement) under(ctx context.Context, a attack, d time.Duration) (arriving, p99 time.Duration, said string, err error) {
	attackers, err := child.Start(attackVariable, a.name+" "+m.server.Ready)
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

// meet has somebody hear of the victim's secrets from now on.
func (m *measurement) meet(attackers *child.Process) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.attackers = attackers; attackers != nil && m.stolen != "" {
		attackers.Tell(m.stolen)
	}
}

// tell gives the victim's secret away.
func (m *measurement) tell(s *secret) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stolen = s.String()
	if m.attackers != nil {
		m.attackers.Tell(m.stolen)
	}
}

// watch returns the most memory that a process has had until ctx ended. It
// calls stop once if that is more than too much.
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
