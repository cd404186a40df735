package proxy

import (
	"net/http"

	"github.com/parley-rpc/parley/ext/grpc/internal/translate"
)

// HeaderValues converts the values of an HTTP header, such as one of a
// handshake (rpc.Peer.Header), to gRPC metadata of the same name: for
// Config.Metadata.
//
// gRPC's metadata is more restricted than HTTP's headers. A name with
// characters other than letters, digits, "-", "_" and "." has no values, and
// values that are not printable ASCII are left out. Values of a name that ends
// in "-bin" are base64 in HTTP, and bytes in metadata. The caller owns the
// result.
func HeaderValues(h http.Header, name string) []string { return translate.HeaderValues(h, name) }

// ValidKey reports whether metadata of a name, in any case, can be sent to
// backends: gRPC allows the key, and neither protocol reserves it.
func ValidKey(name string) bool { return translate.Passes(name) && !hopByHop(name) }
