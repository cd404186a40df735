// Package pipe makes pairs of links in memory, for deterministic tests. It has
// no sockets and no goroutines, and its only clock is that of package time, so
// that a testing/synctest bubble decides when things happen.
//
// A pipe behaves like a WebSocket as far as sessions can see: messages arrive
// in order after a latency, a writer blocks when too much is on the way, and a
// close code arrives after the messages that were written before it. The writer
// may reuse its slices. In addition, a test can cut the link at any byte
// ([End.Cut], [End.CutAfterBytes], [End.CutAfterMessages]), drop everything
// that one end writes ([End.Drop]), or stall an end ([End.Stall]).
//
// NextReader, or WriteMessage, panics if two goroutines call it at once: a
// WebSocket would corrupt its stream.
//
// One mutex guards both ends of a pair. It is never held while waiting.
package pipe
