// Package pipe makes pairs of links in memory, for tests that must come out the
// same every time: no socket, no goroutine, and no clock but the one of package
// time, so that a testing/synctest bubble decides when things happen.
//
// A pipe is faithful where sessions can tell the difference: messages arrive in
// order after a latency, a writer blocks when too much is on the way, a close
// code arrives behind the messages that were written before it, and what the
// writer does with its slices afterwards changes nothing. It is unfaithful on
// purpose elsewhere: a test can cut the link at any byte ([End.Cut],
// [End.CutAfterBytes], [End.CutAfterMessages]), let everything that one end
// writes vanish ([End.Drop]), or freeze an end ([End.Stall]).
//
// Calling NextReader, or WriteMessage, from two goroutines at once panics: a
// WebSocket would corrupt its stream.
//
// One mutex guards both ends of a pair. It is never held while waiting.
package pipe
