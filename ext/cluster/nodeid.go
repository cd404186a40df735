package cluster

import (
	"crypto/rand"
	"encoding/hex"
)

// NodeID names one incarnation of a node: it is random, and another one after a
// restart.
type NodeID [8]byte

// newNodeID returns a random id.
func newNodeID() (id NodeID) {
	_, _ = rand.Read(id[:]) // never fails
	return id
}

// String returns the id as 16 hexadecimal digits.
func (id NodeID) String() string { return hex.EncodeToString(id[:]) }
