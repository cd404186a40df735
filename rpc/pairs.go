package rpc

import (
	"errors"
	"fmt"
	"strings"

	"github.com/parley-rpc/parley/internal/frame"
)

// pairs is metadata as a block carries it: one field for each pair. It is
// decoded only when an application asks for it, since a Metadata takes several
// allocations.
type pairs struct {
	fields []byte // valid; pairs only
	n      int    // their number
}

// maxPairs is how many pairs of metadata a block may have: many small pairs
// cost far more memory than their bytes.
const maxPairs = 256

// errPairs is the error for a block with more than maxPairs pairs.
var errPairs = fmt.Errorf("more than %d pairs of metadata", maxPairs)

// minPairsSize is the capacity in bytes for the first pair that is added: most
// calls have a few small ones.
const minPairsSize = 64

// add validates and appends values of a key. Its errors have
// CodeInvalidArgument, or CodeResourceExhausted for more pairs than can be sent.
func (p *pairs) add(key string, values []string) error {
	key = strings.ToLower(key)
	if err := checkPair(key, ""); err != nil {
		return Errorf(CodeInvalidArgument, "%w", err)
	}
	if strings.HasPrefix(key, reservedPrefix) {
		return Errorf(CodeInvalidArgument, "metadata key %q: the prefix %q is reserved", key, reservedPrefix)
	}
	for _, v := range values {
		if err := checkValue(key, v); err != nil {
			return Errorf(CodeInvalidArgument, "%w", err)
		}
	}
	if p.n+len(values) > maxPairs {
		return Errorf(CodeResourceExhausted, "metadata key %q: %w", key, errPairs)
	}
	for _, v := range values {
		p.append(key, v)
	}
	return nil
}

// append appends a field: the key's length, the key and the value.
func (p *pairs) append(key, value string) {
	if p.fields == nil {
		p.fields = make([]byte, 0, minPairsSize)
	}
	p.n++
	b := frame.AppendVarint(p.fields, keyMetadata)
	b = frame.AppendVarint(b, uint64(varintLen(len(key))+len(key)+len(value)))
	b = frame.AppendVarint(b, uint64(len(key)))
	p.fields = append(append(b, key...), value...)
}

func varintLen(n int) int { return len(frame.AppendVarint(make([]byte, 0, 8), uint64(n))) }

// parse adds the pair of one field of a block, which has room bytes.
func (p *pairs) parse(field []byte, room int) error {
	key, value, err := splitPair(field)
	if err != nil {
		return err
	}
	if !validKey(key) || !printable(value) && !isBinary(key) {
		return checkPair(string(key), string(value))
	}
	if len(key) >= len(reservedPrefix) && string(key[:len(reservedPrefix)]) == reservedPrefix {
		return nil
	}
	if p.fields == nil {
		p.fields = make([]byte, 0, room)
	}
	p.n++
	p.fields = frame.AppendBytesField(p.fields, keyMetadata, field)
	return nil
}

// splitPair returns the key and the value in a field.
func splitPair(field []byte) (key, value []byte, err error) {
	n, used, err := frame.ParseVarint(field)
	if err != nil || n > uint64(len(field)-used) {
		return nil, nil, errors.New("a metadata pair is cut short")
	}
	return field[used:][:n], field[used:][n:], nil
}

// maxSharedText is the size in bytes of metadata whose strings may share their
// memory. Of larger metadata, a string that an application keeps does not keep
// the others.
const maxSharedText = 1 << 10

// decode returns the pairs as a new Metadata, or nil if there is none.
func (p pairs) decode() Metadata {
	if p.n == 0 {
		return nil
	}
	m := make(Metadata, p.n)
	all := make([]string, p.n)
	var text string
	if len(p.fields) <= maxSharedText {
		text = string(p.fields)
	}
	for i, rest := 0, p.fields; len(rest) > 0; i++ {
		f, after, _ := frame.ParseField(rest) // valid, and so is the pair
		key, value, _ := splitPair(f.Bytes)
		k, v := "", ""
		if text != "" {
			end := len(text) - len(after)
			v = text[end-len(value) : end]
			k = text[end-len(value)-len(key) : end-len(value)]
		} else {
			k, v = string(key), string(value)
		}
		if values := m[k]; values != nil {
			m[k] = append(values, v)
		} else {
			all[i] = v
			m[k] = all[i : i+1 : i+1]
		}
		rest = after
	}
	return m
}
