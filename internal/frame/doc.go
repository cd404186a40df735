// Package frame encodes and decodes the frames of the parley.v1 protocol.
//
// It has no I/O, no goroutines and no state, and allocates nothing for a
// message. Decoded payloads alias the bytes from which they were parsed.
// docs/spec/PROTOCOL.md specifies the layout of every frame; the tests of this
// package run its examples.
//
// A message of the link carries one or more whole frames. A reader that has the
// first bytes of a message calls [ParseHeader], compares the length with its
// limit, and reads the payload when that many bytes have arrived:
//
//	for len(b) > 0 {
//		h, n, err := frame.ParseHeader(b)
//		if err != nil || uint64(len(b)-n) < h.Length {
//			return err // or read more, if the message continues
//		}
//		use(h, b[n:n+int(h.Length)])
//		b = b[n+int(h.Length):]
//	}
package frame
