package main

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// worst is the highest ratio allowed for the p99 of the client that keeps
	// the rules.
	worst = 3
	// busy is a p99 without attackers, of either kind of turn. From there on
	// the machine has too much else to do: a ratio to that says nothing.
	busy = 5 * time.Millisecond
	// mostMemory is how many bytes an attack may add to the server's memory.
	mostMemory = 256 << 20
)

// figures are the results of an attack.
type figures struct {
	attack             attack
	quiet, idle, under []time.Duration // p99s of the turns; idle: attackers that compute
	arriving           []time.Duration // as under, of the first second
	failed             error           // of the client that keeps the rules, or the victim
	cpu                float64         // cores, while under attack
	most, after        int64           // resident memory compared with before, in bytes
	did                deeds
	beside             string // what became of the bystander
}

func median(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	d = slices.Sorted(slices.Values(d))
	return (d[(len(d)-1)/2] + d[len(d)/2]) / 2
}

// ratio is the p99 under attack divided by the quiet one; 0 if there is nothing
// to compare it with.
func (f *figures) ratio() float64 {
	if len(f.quiet) == 0 {
		return 0
	}
	return float64(median(f.under)) / float64(median(f.quiet))
}

// heading is the heading of the lines of figures.
var heading = fmt.Sprintf("%-14s %9s %9s %9s %9s %6s %10s %10s %10s  %s",
	"attack", "p99 quiet", "p99 idle", "arriving", "p99 under", "ratio", "server CPU", "memory", "after", "what the attackers did")

func (f *figures) String() string {
	s := fmt.Sprintf("%-14s %6.2f ms %6.2f ms %6.2f ms %6.2f ms %6.1f %4.2f cores %6.1f MiB %6.1f MiB  %d connections, %d %s",
		f.attack.name, milliseconds(median(f.quiet)), milliseconds(median(f.idle)), milliseconds(median(f.arriving)), milliseconds(median(f.under)), f.ratio(),
		f.cpu, float64(f.most)/(1<<20), float64(f.after)/(1<<20), f.did.conns, f.did.units, f.attack.unit)
	if f.beside != "" {
		s += "; " + f.beside
	}
	if f.did.said != "" {
		s += "; ended by: " + f.did.said
	}
	return s
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// judge returns all failures.
func (f *figures) judge() error {
	var bad []error
	most := f.attack.limit()
	if f.failed != nil {
		bad = append(bad, fmt.Errorf("%s: who behaves well suffers: %w", f.attack.name, f.failed))
	}
	if quiet, idle := median(f.quiet), median(f.idle); quiet > busy || idle > busy {
		bad = append(bad, fmt.Errorf("%s: the machine is too busy to tell: the p99 is %v quiet, %v with idle attackers", f.attack.name, quiet, idle))
	}
	if f.ratio() > worst {
		bad = append(bad, fmt.Errorf("%s: the p99 is %.1f times what it was, more than %d", f.attack.name, f.ratio(), worst))
	}
	if f.most > most {
		bad = append(bad, fmt.Errorf("%s: %d bytes of memory, more than %d", f.attack.name, f.most, most))
	}
	if f.did.won > 0 {
		bad = append(bad, fmt.Errorf("%s: succeeded %d times: %s", f.attack.name, f.did.won, f.did.said))
	}
	return errors.Join(bad...)
}
