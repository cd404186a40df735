// Package faulty is a TCP proxy that breaks the connections through it on
// purpose: at any byte, in either direction, in every way that networks do,
// apart from those that TCP itself mends. It reorders nothing.
//
// Locks: Proxy.mu before conn.mu. Neither is held while a socket is read or
// written.
package faulty
