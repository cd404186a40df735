package translate

import (
	"encoding/base64"
	"net/http"
	"strings"

	"google.golang.org/grpc/metadata"
)

// binarySuffix marks keys whose values are any bytes, in both worlds.
const binarySuffix = "-bin"

// ValidKey reports whether a key, in lower case, can be one of metadata, in either
// world. HTTP allows more.
func ValidKey(key string) bool {
	return key != "" && strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == ""
}

// Value returns a value as metadata has it, and whether there can be such a value: those
// that are no bytes are printable ASCII, without spaces around them.
func Value(key, value string) (string, bool) {
	if strings.HasSuffix(key, binarySuffix) {
		return value, true
	}
	value = strings.Trim(value, " \t")
	for i := range len(value) {
		if value[i] < ' ' || value[i] > '~' {
			return "", false
		}
	}
	return value, true
}

// Clean returns what of md is metadata in either world, in slices of its own: keys in
// lower case, and values that can travel. What is left out was put there by a program, or
// came by HTTP from one that knows nothing of metadata.
func Clean(md metadata.MD) metadata.MD {
	clean := make(metadata.MD, len(md))
	for key, values := range md {
		if key = strings.ToLower(key); !Passes(key) {
			continue
		}
		for _, v := range values {
			if v, ok := Value(key, v); ok {
				clean[key] = append(clean[key], v)
			}
		}
	}
	return clean
}

// HeaderValues returns the values of an HTTP header as those of the metadata of that
// name: what metadata cannot have is left out, and the bytes of "-bin" are taken out of
// their base64, which HTTP wraps them in.
func HeaderValues(h http.Header, name string) []string {
	key := strings.ToLower(name)
	if !ValidKey(key) {
		return nil
	}
	var all []string
	for _, v := range h.Values(name) {
		if !strings.HasSuffix(key, binarySuffix) {
			if v, ok := Value(key, v); ok {
				all = append(all, v)
			}
			continue
		}
		for part := range strings.SplitSeq(v, ",") {
			part = strings.TrimRight(strings.TrimSpace(part), "=")
			if b, err := base64.RawStdEncoding.DecodeString(part); err == nil {
				all = append(all, string(b))
			}
		}
	}
	return all
}
