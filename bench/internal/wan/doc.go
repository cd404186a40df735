// Package wan measures frameworks over paths with a round trip and a rate. A
// measurement has three processes: that of the client starts those of the
// server and of the path, makes the calls, and reports figures.
package wan
