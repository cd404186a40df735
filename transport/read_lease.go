package transport

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// readLease lends the right to read a link. While messages of the two ends
// alternate on the only stream, the goroutine that waits for one reads it
// itself. Otherwise two goroutines would wake for each: the reader goroutine,
// and the one that gets the message from it.
//
// The reader goroutine lends, and waits until the lease is over (lend). Until
// then the lease is free, or one goroutine has borrowed it. So one goroutine at
// a time uses what belongs to the reader goroutine; mu, and the channel back,
// order their accesses.
//
// The reader goroutine always gets reading back:
//
//   - A lease that is free has a timer, and is over when no goroutine has
//     borrowed it for a period or two. This bounds how long a frame that nothing
//     waits for may be unread.
//   - A goroutine that has borrowed the lease frees it or ends it. It waits
//     for nothing but the link meanwhile, and for that only until its context or
//     deadline ends, the link is closed, or interruptRead is called.
type readLease struct {
	a    *attachment
	link AwaitableLink
	back chan error // receives one value when the lease is over: why reading has failed, or nil

	state atomic.Int32 // one of the constants below; see mu

	// A goroutine that has borrowed the lease may change borrowed to awaiting,
	// and back. All other changes of state need mu.
	mu        sync.Mutex
	uses      int  // how often the lease was made free
	checked   int  // uses, when the timer was started
	contended bool // a second goroutine waits
	armed     bool // the timer is about to fire
	timer     *time.Timer

	// Of the goroutine that has borrowed the lease, and of the reader goroutine
	// when it is over.
	ending  <-chan struct{} // of the context that is watched
	unwatch func() bool     // nil: none is watched
}

const (
	leaseOver     = iota // the reader goroutine reads
	leaseFree            // a goroutine that waits may borrow it
	leaseBorrowed        // a goroutine handles messages
	leaseAwaiting        // that goroutine waits for the link
)

// leasePeriod is the period of the timer.
const leasePeriod = 500 * time.Microsecond

// The reader goroutine lends after that many messages in a row to each of which
// this end has replied. It waits for twice as many after a lease of less than
// minLeaseUses.
var (
	minAlternations = 8
	maxAlternations = 4096
)

const minLeaseUses = 100

// errReadPanicked ends the session when a goroutine of the application has
// panicked while it read the link. The application may recover.
var errReadPanicked = &CloseError{Code: CloseInternalError, Reason: "panic while a message was handled"}

// awaitable returns the AwaitableLink that link is, or wraps, or nil.
func awaitable(link Link) AwaitableLink {
	for {
		switch l := link.(type) {
		case AwaitableLink:
			return l
		case interface{ Unwrap() Link }:
			link = l.Unwrap()
		default:
			return nil
		}
	}
}

// lend lends reading if that pays off. It returns when it is over, and the error
// with which reading has failed, if it has.
func (a *attachment) lend() error {
	s := a.s
	a.lendAfter = max(a.lendAfter, minAlternations)
	if s.alternations < a.lendAfter || s.streams.live.Load() > 1 {
		return nil
	}
	if a.lease == nil {
		a.lease = &readLease{a: a, link: awaitable(a.link), back: make(chan error, 1)}
	}
	l := a.lease
	if l.link == nil || !l.link.CanAwait() {
		return nil
	}
	s.alternations = 0
	uses := l.begin()
	s.lease.Store(l)
	// This end may have replied by now, and wait for the next message: only a
	// goroutine that replies from here on sees the lease when it waits.
	late := !s.replyDue.Load() && l.borrow()
	if late {
		l.end(nil)
	}
	err := <-l.back
	s.lease.Store(nil)
	l.stopWatching()
	switch {
	case late:
		s.alternations = a.lendAfter
	case l.uses-uses < minLeaseUses:
		a.lendAfter = min(2*a.lendAfter, maxAlternations)
	default:
		a.lendAfter = minAlternations
	}
	return err
}

// begin makes the lease free, and returns how often it was free before.
func (l *readLease) begin() (uses int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.contended = false
	l.setFree()
	return l.uses
}

// setFree makes the lease free; mu is held.
func (l *readLease) setFree() {
	l.uses++
	l.state.Store(leaseFree)
	if !l.armed {
		l.arm()
	}
}

// arm starts the timer; mu is held.
func (l *readLease) arm() {
	l.armed, l.checked = true, l.uses
	if l.timer == nil {
		l.timer = time.AfterFunc(leasePeriod, l.expire)
	} else {
		l.timer.Reset(leasePeriod)
	}
}

// expire ends the lease if it was free for a period. The timer calls it.
func (l *readLease) expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = false
	switch {
	case l.state.Load() != leaseFree:
	case l.checked == l.uses:
		l.endLocked(nil)
	default:
		l.arm()
	}
}

// borrow borrows the lease, if it is free.
func (l *readLease) borrow() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state.Load() != leaseFree {
		l.contended = true
		return false
	}
	l.state.Store(leaseBorrowed)
	return true
}

// free ends the use of the lease by the goroutine that has borrowed it. The
// lease is over if another one waits, or if something that was read from the
// link waits.
func (l *readLease) free() {
	canAwait := l.link.CanAwait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.contended || !canAwait {
		l.endLocked(nil)
		return
	}
	l.setFree()
}

// end ends the lease. The goroutine that calls it has borrowed the lease.
func (l *readLease) end(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.endLocked(err)
}

// endLocked is end with mu held, for a lease that is borrowed or free.
func (l *readLease) endLocked(err error) {
	l.state.Store(leaseOver)
	if l.timer.Stop() {
		l.armed = false
	}
	l.back <- err
}

// readUntil reads the link until wake has a value, if that is lent. It reports
// whether it has taken the value. If it has not, the reader goroutine reads, or
// is about to.
func (s *Session) readUntil(ctx context.Context, deadline time.Time, wake <-chan struct{}) (woken bool) {
	l := s.lease.Load()
	return l != nil && l.borrow() && l.readUntil(ctx, deadline, wake)
}

func (l *readLease) readUntil(ctx context.Context, deadline time.Time, wake <-chan struct{}) (woken bool) {
	err, usable := error(errReadPanicked), false
	defer func() {
		if usable {
			l.free()
		} else {
			l.end(err)
		}
	}()
	l.watch(ctx)
	for {
		var ready bool
		if woken {
			ready = l.link.AwaitMessage(time.Time{}) // does not wait: something is there
		} else {
			ready, woken = l.await(ctx, deadline, wake)
		}
		if !ready {
			err = nil
			return woken
		}
		if err = l.a.readNext(); err != nil {
			return woken
		}
		err = errReadPanicked
		woken = woken || received(wake)
		if woken && l.link.CanAwait() {
			usable = true
			return true
		}
	}
}

// await waits for a message, and reports whether it is there. It does not wait
// if wake has a value, which it takes, or if ctx has ended.
func (l *readLease) await(ctx context.Context, deadline time.Time, wake <-chan struct{}) (ready, woken bool) {
	l.state.Store(leaseAwaiting)
	defer l.state.Store(leaseBorrowed)
	// What happens from here on calls interrupt, which sees the state.
	if received(wake) {
		return false, true
	}
	return ctx.Err() == nil && l.link.AwaitMessage(deadline), false
}

func received(wake <-chan struct{}) bool {
	select {
	case <-wake:
		return true
	default:
		return false
	}
}

// watch makes the end of ctx interrupt the wait for the link. Consecutive waits
// with the same context need that once.
func (l *readLease) watch(ctx context.Context) {
	ending := ctx.Done()
	if ending == l.ending {
		return
	}
	l.stopWatching()
	if ending != nil {
		l.ending, l.unwatch = ending, context.AfterFunc(ctx, l.interrupt)
	}
}

func (l *readLease) stopWatching() {
	if l.unwatch != nil {
		l.unwatch()
		l.ending, l.unwatch = nil, nil
	}
}

// interruptRead ends the wait of a goroutine that reads the link itself. It must
// be called when such a goroutine is woken by another one.
func (s *Session) interruptRead() {
	if l := s.lease.Load(); l != nil {
		l.interrupt()
	}
}

func (l *readLease) interrupt() {
	if l.state.Load() == leaseAwaiting {
		l.link.Interrupt()
	}
}
