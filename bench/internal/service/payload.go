package service

import "math/rand/v2"

// Payload returns n bytes that cannot be compressed, the same ones each time.
func Payload(n int) []byte {
	p := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(p) // never fails
	return p
}
