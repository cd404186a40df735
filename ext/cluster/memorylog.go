package cluster

import (
	"bytes"
	"container/list"
	"context"
	"errors"
	"iter"
	"time"
)

// Bounds of the logs of a MemoryBus.
const (
	memoryLogs     = 1 << 14
	memoryLogBytes = 256 << 20
)

// memoryLog is the log of a subject. MemoryBus.mu guards it. Numbers ascend by
// one from the time in microseconds at which the log was made, so that a log
// that is made again begins above the numbers of the one before.
type memoryLog struct {
	subject string
	limits  LogLimits
	entries []memoryEntry // the oldest first, without gaps
	last    uint64        // number of the newest entry, which may be gone
	first   uint64        // number of the first entry that there ever was
	place   *list.Element // in MemoryBus.order
	readers int           // a log that is read stays
	changed chan struct{} // closed when something has changed; nil: no reader waits
}

type memoryEntry struct {
	at   time.Time
	data []byte
}

var errTooManyLogs = errors.New("cluster: too many logs are read at once")

// Append implements LogBus.
func (b *MemoryBus) Append(ctx context.Context, subject string, limits LogLimits, data []byte) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	l, err := b.log(subject, limits)
	if err != nil {
		return 0, err
	}
	now := time.Now()
	l.last++
	l.entries = append(l.entries, memoryEntry{now, append([]byte{}, data...)})
	b.logBytes += len(data)
	b.order.MoveToFront(l.place)
	b.expire(l, now)
	b.evict(l)
	l.tell()
	return l.last, nil
}

// log returns the log of a subject, which it makes if there is none.
func (b *MemoryBus) log(subject string, limits LogLimits) (*memoryLog, error) {
	if b.isCut {
		return nil, ErrBusUnavailable
	}
	if l := b.logs[subject]; l != nil {
		return l, nil
	}
	limits, err := limits.WithDefaults()
	if err := errors.Join(CheckSubject(subject), err); err != nil {
		return nil, err
	}
	if len(b.logs) >= memoryLogs && !b.removeOldest(nil) {
		return nil, errTooManyLogs
	}
	first := uint64(time.Now().UnixMicro())
	l := &memoryLog{subject: subject, limits: limits, first: first, last: first - 1}
	l.place = b.order.PushFront(l)
	b.logs[subject] = l
	return l, nil
}

// expire removes entries beyond the limits of a log.
func (b *MemoryBus) expire(l *memoryLog, now time.Time) {
	n := max(len(l.entries)-l.limits.Messages, 0)
	for n < len(l.entries) && now.Sub(l.entries[n].at) > l.limits.Age {
		n++
	}
	b.drop(l, n)
}

// drop removes the oldest n entries of a log.
func (b *MemoryBus) drop(l *memoryLog, n int) {
	for i := range n {
		b.logBytes -= len(l.entries[i].data)
		l.entries[i] = memoryEntry{}
	}
	l.entries = l.entries[n:]
	if len(l.entries) == 0 {
		l.entries = nil
	}
}

// evict removes entries until all logs together are within bounds: whole logs
// first, then the oldest entries of the log that was appended to last.
func (b *MemoryBus) evict(l *memoryLog) {
	for b.logBytes > memoryLogBytes {
		if b.removeOldest(l) {
			continue
		}
		if len(l.entries) <= 1 {
			return
		}
		b.drop(l, 1)
	}
}

// removeOldest removes the log that was appended to least recently, among those
// that are not read and are not l. It reports whether there was one.
func (b *MemoryBus) removeOldest(l *memoryLog) bool {
	for e := b.order.Back(); e != nil; e = e.Prev() {
		if oldest := e.Value.(*memoryLog); oldest != l && oldest.readers == 0 {
			b.remove(oldest)
			return true
		}
	}
	return false
}

func (b *MemoryBus) remove(l *memoryLog) {
	b.drop(l, len(l.entries))
	b.order.Remove(l.place)
	delete(b.logs, l.subject)
}

// tell wakes the readers.
func (l *memoryLog) tell() {
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// Last implements LogBus.
func (b *MemoryBus) Last(ctx context.Context, subject string, _ LogLimits) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.isCut {
		return 0, ErrBusUnavailable
	}
	if l := b.logs[subject]; l != nil && l.last >= l.first {
		return l.last, nil
	}
	return 0, nil
}

// Read implements LogBus.
func (b *MemoryBus) Read(ctx context.Context, subject string, limits LogLimits, after uint64) iter.Seq2[LogEntry, error] {
	return func(yield func(LogEntry, error) bool) {
		l, oldest, err := b.openLog(subject, limits)
		if err != nil {
			yield(LogEntry{}, err)
			return
		}
		defer b.closeLog(l)
		after := after // the sequence can be ranged over again
		if after == 0 {
			after = oldest - 1
		}
		for {
			entry, changed, err := b.next(ctx, l, after)
			switch {
			case err != nil:
				yield(LogEntry{}, err)
				return
			case changed != nil:
				select {
				case <-changed:
				case <-ctx.Done():
				}
			case !yield(entry, nil):
				return
			default:
				after = entry.Number
			}
		}
	}
}

// openLog begins the reading of a log. It also returns the number of the oldest
// entry that is kept, or of the next one.
func (b *MemoryBus) openLog(subject string, limits LogLimits) (l *memoryLog, oldest uint64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l, err = b.log(subject, limits); err != nil {
		return nil, 0, err
	}
	l.readers++
	b.expire(l, time.Now())
	return l, l.oldest(), nil
}

// closeLog ends the reading of a log. A log that has never had an entry goes.
func (b *MemoryBus) closeLog(l *memoryLog) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l.readers--; l.readers == 0 && l.last < l.first {
		b.remove(l)
	}
}

// next returns the entry that follows a number, or what is closed when there may
// be one.
func (b *MemoryBus) next(ctx context.Context, l *memoryLog, after uint64) (e LogEntry, changed <-chan struct{}, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return e, nil, err
	}
	if b.isCut {
		return e, nil, ErrBusUnavailable
	}
	b.expire(l, time.Now())
	oldest := l.oldest()
	switch {
	case after == l.last:
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		return e, l.changed, nil
	case after > l.last || after+1 < oldest:
		if len(l.entries) == 0 {
			return LogEntry{Number: l.last, Gap: true}, nil, nil
		}
		e = l.entry(oldest)
		e.Gap = true
		return e, nil, nil
	}
	return l.entry(after + 1), nil, nil
}

// oldest returns the number of the oldest entry, or of the next one.
func (l *memoryLog) oldest() uint64 { return l.last + 1 - uint64(len(l.entries)) }

// entry returns the entry with a number, which the log has.
func (l *memoryLog) entry(number uint64) LogEntry {
	i := len(l.entries) - 1 - int(l.last-number)
	return LogEntry{Number: number, Data: bytes.Clone(l.entries[i].data)}
}
