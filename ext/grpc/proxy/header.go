package proxy

import (
	"net/http"

	"github.com/parley-rpc/parley/ext/grpc/internal/translate"
)

// HeaderValues returns the values of an HTTP header, such as one of a handshake
// (rpc.Peer.Header), as those of gRPC's metadata of the same name: for Config.Metadata.
//
// gRPC's metadata is less than HTTP's headers. A name with other characters than letters,
// digits, "-", "_" and "." has no values there; values that are not printable ASCII are
// left out. Those of a name that ends in "-bin" are base64 in HTTP, and bytes in
// metadata. The result is the caller's own.
func HeaderValues(h http.Header, name string) []string { return translate.HeaderValues(h, name) }

// ValidKey reports whether backends can be sent metadata of a name, in any case: gRPC has
// such keys, and none of the protocols has it for itself.
func ValidKey(name string) bool { return translate.Passes(name) && !hopByHop(name) }
