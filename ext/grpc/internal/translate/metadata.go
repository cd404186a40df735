package translate

import (
	"strings"

	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/rpc"
)

// reserved are the keys, besides those that begin with a colon, that HTTP/2 or
// grpc's protocol uses; grpc-go does not send them either.
var reserved = map[string]bool{
	"content-type": true, "te": true, "user-agent": true,
	"grpc-message-type": true, "grpc-encoding": true, "grpc-message": true, "grpc-status": true,
	"grpc-timeout": true, "grpc-status-details-bin": true, "grpc-accept-encoding": true,
}

// Reserved reports whether a metadata key belongs to a protocol and must not be
// forwarded.
func Reserved(key string) bool {
	key = strings.ToLower(key)
	return key == "" || key[0] == ':' || reserved[key]
}

// Passes reports whether a metadata key, in any case, passes between the
// protocols.
func Passes(key string) bool { return ValidKey(strings.ToLower(key)) && !Reserved(key) }

// ToMD converts metadata to grpc's type.
func ToMD(m rpc.Metadata) metadata.MD {
	md := make(metadata.MD, len(m))
	for key, values := range m {
		if !Reserved(key) {
			md[key] = values
		}
	}
	return md
}

// Set calls set with each key of md and its values, except reserved keys. It
// stops at the first error.
func Set(md metadata.MD, set func(key string, values ...string) error) error {
	for key, values := range md {
		if Reserved(key) {
			continue
		}
		if err := set(key, values...); err != nil {
			return err
		}
	}
	return nil
}
