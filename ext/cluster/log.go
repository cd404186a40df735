package cluster

import "time"

// LogLimits bound the log of a subject.
type LogLimits struct {
	Messages int           // kept at most; the oldest goes first
	Age      time.Duration // how long one is kept at most
}
