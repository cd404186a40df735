package translate

import (
	"encoding/base64"
	"net/http"
	"strings"

	"google.golang.org/grpc/metadata"
)

// binarySuffix marks keys whose values are arbitrary bytes, in both protocols.
const binarySuffix = "-bin"

// ValidKey reports whether a key, in lower case, is a valid metadata key in
// both protocols. HTTP allows more.
func ValidKey(key string) bool {
	return key != "" && strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == ""
}

// Value returns a value as valid metadata, and whether it is valid: values
// other than bytes are printable ASCII without surrounding spaces.
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

// Clean returns the part of md that is valid metadata in both protocols, in new
// slices: keys in lower case, and valid values. The rest comes from a program
// that does not check it, or from HTTP.
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

// HeaderValues converts the values of an HTTP header to metadata of that name:
// invalid values are left out, and the bytes of "-bin" are decoded from base64,
// which HTTP uses for them.
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
