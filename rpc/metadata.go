package rpc

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Metadata is sent beside the messages of a call: headers from either end, and
// trailers. Keys are lower case. A key may have several values, in order. The
// values of a key that ends in "-bin" are arbitrary bytes, all others printable
// ASCII (PROTOCOL.md, section "Metadata").
type Metadata map[string][]string

// Get returns the first value of a key, or "".
func (m Metadata) Get(key string) string {
	if v := m[strings.ToLower(key)]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Values returns all values of a key. They are those of m, not a copy;
// appending to them does not change m.
func (m Metadata) Values(key string) []string { return slices.Clip(m[strings.ToLower(key)]) }

// Set replaces the values of a key.
func (m Metadata) Set(key string, values ...string) {
	m[strings.ToLower(key)] = slices.Clone(values)
}

// Append adds values to a key.
func (m Metadata) Append(key string, values ...string) {
	key = strings.ToLower(key)
	m[key] = append(m[key], values...)
}

// Clone returns a copy that shares nothing with m.
func (m Metadata) Clone() Metadata {
	c := maps.Clone(m)
	for k, v := range c {
		c[k] = slices.Clone(v)
	}
	return c
}

// binarySuffix marks keys whose values are arbitrary bytes.
const binarySuffix = "-bin"

// reservedPrefix is the prefix of keys that are reserved for the protocol.
const reservedPrefix = "parley-"

// checkPair returns an error for an invalid key or value.
func checkPair(key, value string) error {
	if !validKey(key) {
		return fmt.Errorf("metadata key %.200q: only 0-9 a-z - _ . are allowed, and at least one of them", key)
	}
	return checkValue(key, value)
}

// checkValue returns an error for a value that a valid key cannot have.
func checkValue(key, value string) error {
	if isBinary(key) || printable(value) {
		return nil
	}
	i := strings.IndexFunc(value, func(r rune) bool { return r < ' ' || r > '~' })
	return fmt.Errorf("metadata %.200q: byte %#02x is not printable ASCII; end the key in %q to send bytes", key, value[i], binarySuffix)
}

func validKey[T string | []byte](key T) bool {
	for i := range len(key) {
		c := key[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return len(key) > 0
}

// isBinary reports whether the values of a key are arbitrary bytes.
func isBinary[T string | []byte](key T) bool {
	n := len(key) - len(binarySuffix)
	return n >= 0 && string(key[n:]) == binarySuffix
}

// printable reports whether a value is printable ASCII.
func printable[T string | []byte](value T) bool {
	for i := range len(value) {
		if value[i] < ' ' || value[i] > '~' {
			return false
		}
	}
	return true
}
