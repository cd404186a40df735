// Package cluster makes several servers one: a client may connect to any of
// them, and calls, topics and the directory of clients reach all of them.
package cluster
