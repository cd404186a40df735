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
	switch {
	case !validKey(key):
		return fmt.Errorf("metadata key %.200q: only 0-9 a-z - _ . are allowed, and at least one of them", key)
	case strings.HasSuffix(key, binarySuffix):
		return nil
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' || c > '~' {
			return fmt.Errorf("metadata %.200q: byte %#02x is not printable ASCII; end the key in %q to send bytes", key, c, binarySuffix)
		}
	}
	return nil
}

func validKey(key string) bool {
	for i := range len(key) {
		c := key[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return key != ""
}

// pairs returns the number of pairs.
func (m Metadata) pairs() (n int) {
	for _, values := range m {
		n += len(values)
	}
	return n
}

// add validates and appends values. Its errors have CodeInvalidArgument, or
// CodeResourceExhausted for more pairs than can be sent.
func (m *Metadata) add(key string, values []string) error {
	key = strings.ToLower(key)
	if err := checkPair(key, ""); err != nil {
		return Errorf(CodeInvalidArgument, "%w", err)
	}
	if strings.HasPrefix(key, reservedPrefix) {
		return Errorf(CodeInvalidArgument, "metadata key %q: the prefix %q is reserved", key, reservedPrefix)
	}
	for _, v := range values {
		if err := checkPair(key, v); err != nil {
			return Errorf(CodeInvalidArgument, "%w", err)
		}
	}
	if m.pairs()+len(values) > maxPairs {
		return Errorf(CodeResourceExhausted, "metadata key %q: %w", key, errPairs)
	}
	if *m == nil {
		*m = make(Metadata)
	}
	(*m)[key] = append((*m)[key], values...)
	return nil
}
