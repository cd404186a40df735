package translate

import (
	"strings"

	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/rpc"
)

// reserved are the keys, beside those that begin with a colon, to which HTTP/2 or
// grpc's protocol gives a meaning: grpc-go does not send them either.
var reserved = map[string]bool{
	"content-type": true, "te": true, "user-agent": true,
	"grpc-message-type": true, "grpc-encoding": true, "grpc-message": true, "grpc-status": true,
	"grpc-timeout": true, "grpc-status-details-bin": true, "grpc-accept-encoding": true,
}

// Reserved reports whether a key of metadata belongs to a protocol, so that it does
// not pass from one to the other.
func Reserved(key string) bool {
	key = strings.ToLower(key)
	return key == "" || key[0] == ':' || reserved[key]
}

// Passes reports whether a key of metadata, in any case, passes from one world to the
// other.
func Passes(key string) bool { return ValidKey(strings.ToLower(key)) && !Reserved(key) }

// ToMD returns metadata in grpc's words.
func ToMD(m rpc.Metadata) metadata.MD {
	md := make(metadata.MD, len(m))
	for key, values := range m {
		if !Reserved(key) {
			md[key] = values
		}
	}
	return md
}

// Set gives each key of md with its values to set, but for those that are reserved. It
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
