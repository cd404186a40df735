package command

import (
	"fmt"
	"io"
	"time"
)

// progress shows the progress of a load in a line on the terminal.
type progress struct {
	done  chan struct{} // closed to end it
	ended chan struct{} // closed when it has ended
}

// startProgress prepares the load, and shows its progress if there is a
// terminal.
func (p *program) startProgress(l *load) *progress {
	l.prepare()
	live := &progress{done: make(chan struct{}), ended: make(chan struct{})}
	if !p.Live || p.json() {
		close(live.ended)
		return live
	}
	go live.show(p.terminal, l)
	return live
}

// stop removes the line.
func (live *progress) stop() {
	close(live.done)
	<-live.ended
}

func (live *progress) show(out io.Writer, l *load) {
	defer close(live.ended)
	const clearLine = "\r\x1b[K"
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		m := l.measure()
		fmt.Fprintf(out, "%s%.0f s: %d calls, %.0f a second, %d failed, p50 %.3f ms, p99 %.3f ms",
			clearLine, m.Seconds, m.Calls, m.PerS, m.Failed, m.Times["p50"], m.Times["p99"])
		select {
		case <-tick.C:
		case <-live.done:
			fmt.Fprint(out, clearLine)
			return
		}
	}
}
