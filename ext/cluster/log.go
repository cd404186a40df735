package cluster

import (
	"cmp"
	"fmt"
	"time"
)

// LogLimits bound the log of a subject.
type LogLimits struct {
	Messages int           // kept at most; the oldest goes first. Default 1,000
	Age      time.Duration // how long one is kept at most. Default 1 h
}

const (
	defaultLogMessages = 1000
	defaultLogAge      = time.Hour
)

// WithDefaults returns the limits with defaults in place of zeros, and an error
// that names the first negative field. A LogBus uses it for a log that it makes.
func (l LogLimits) WithDefaults() (LogLimits, error) {
	if l.Messages < 0 {
		return l, fmt.Errorf("cluster: LogLimits.Messages is %d: it must not be negative", l.Messages)
	}
	if l.Age < 0 {
		return l, fmt.Errorf("cluster: LogLimits.Age is %v: it must not be negative", l.Age)
	}
	l.Messages = cmp.Or(l.Messages, defaultLogMessages)
	l.Age = cmp.Or(l.Age, defaultLogAge)
	return l, nil
}
