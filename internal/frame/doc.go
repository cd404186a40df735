// Package frame encodes and decodes the frames of the parley.v1 protocol.
//
// It is pure: no I/O, no goroutines, no state, and no allocation on the way of
// a message. Decoded payloads alias the bytes they were parsed from. The layout
// of every frame is specified in docs/spec/PROTOCOL.md, whose examples this
// package runs as tests.
//
// A message of the link carries one or more whole frames. A reader that has the
// first bytes of a message calls [ParseHeader], checks the length against what
// it accepts, and takes the payload when that many bytes are there:
//
//	for len(b) > 0 {
//		h, n, err := frame.ParseHeader(b)
//		if err != nil || uint64(len(b)-n) < h.Length {
//			return err // or read more, if the message goes on
//		}
//		use(h, b[n:n+int(h.Length)])
//		b = b[n+int(h.Length):]
//	}
package frame
