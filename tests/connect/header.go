package main

import (
	"encoding/base64"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// isBinary reports whether the values of a key are bytes. The tests have them
// in base64.
func isBinary(key string) bool { return strings.HasSuffix(strings.ToLower(key), "-bin") }

// decoded returns a value of the tests as metadata.
func decoded(key, value string) string {
	if !isBinary(key) {
		return value
	}
	data, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(value, "="))
	if err != nil {
		return value
	}
	return string(data)
}

// addHeader sets a header to metadata.
func addHeader(h *message, key string, values []string) {
	h.set("name", key)
	shown := make([]string, len(values))
	for i, v := range values {
		if shown[i] = v; isBinary(key) {
			shown[i] = base64.RawStdEncoding.EncodeToString([]byte(v))
		}
	}
	appendStrings(h, shown)
}

// appendStrings adds the values of a header.
func appendStrings(h *message, values []string) {
	list := h.Mutable(h.field("value")).List()
	for _, v := range values {
		list.Append(protoreflect.ValueOfString(v))
	}
}
