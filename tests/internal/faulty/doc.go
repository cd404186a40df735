// Package faulty is a TCP proxy that breaks its connections on purpose: at any
// byte, in either direction, in every way that networks do. What TCP itself
// repairs is left out, and nothing is reordered.
//
// Locks: Proxy.mu before conn.mu. Neither is held while a socket is read or
// written.
package faulty
