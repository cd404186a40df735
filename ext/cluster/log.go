package cluster

import (
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

func (l LogLimits) check() error {
	if l.Messages < 0 {
		return fmt.Errorf("cluster: LogLimits.Messages is %d: it must not be negative", l.Messages)
	}
	if l.Age < 0 {
		return fmt.Errorf("cluster: LogLimits.Age is %v: it must not be negative", l.Age)
	}
	return nil
}

func (l LogLimits) withDefaults() LogLimits {
	if l.Messages == 0 {
		l.Messages = defaultLogMessages
	}
	if l.Age == 0 {
		l.Age = defaultLogAge
	}
	return l
}
