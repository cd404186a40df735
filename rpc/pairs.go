package rpc

import (
	"errors"
	"fmt"
	"strings"

	"github.com/parley-rpc/parley/internal/frame"
)

// pairs is metadata as a block carries it: one field for each pair. It is
// decoded only when an application asks for it, since a Metadata takes several
// allocations. Nil is none.
type pairs struct {
	fields []byte   // valid; pairs only
	n      int      // their number
	few    [64]byte // the memory of fields, if that is enough
}

// maxPairs is how many pairs of metadata a block may have: many small pairs
// cost far more memory than their bytes.
const maxPairs = 256

// errPairs is the error for a block with more than maxPairs pairs.
var errPairs = fmt.Errorf("more than %d pairs of metadata", maxPairs)

// add validates values of a key, and returns p with them. Its errors have
// CodeInvalidArgument, or CodeResourceExhausted for more pairs than can be
// sent.
func (p *pairs) add(key string, values []string) (*pairs, error) {
	key = strings.ToLower(key)
	if err := checkPair(key, ""); err != nil {
		return p, Errorf(CodeInvalidArgument, "%w", err)
	}
	if strings.HasPrefix(key, reservedPrefix) {
		return p, Errorf(CodeInvalidArgument, "metadata key %q: the prefix %q is reserved", key, reservedPrefix)
	}
	for _, v := range values {
		if err := checkValue(key, v); err != nil {
			return p, Errorf(CodeInvalidArgument, "%w", err)
		}
	}
	if p.count()+len(values) > maxPairs {
		return p, Errorf(CodeResourceExhausted, "metadata key %q: %w", key, errPairs)
	}
	for _, v := range values {
		p = p.append(key, v)
	}
	return p, nil
}

// count returns the number of pairs.
func (p *pairs) count() int {
	if p == nil {
		return 0
	}
	return p.n
}

// append returns p with a field: the key's length, the key and the value.
func (p *pairs) append(key, value string) *pairs {
	p = p.grow(0)
	b := frame.AppendVarint(p.fields, keyMetadata)
	b = frame.AppendVarint(b, uint64(varintLen(len(key))+len(key)+len(value)))
	b = frame.AppendVarint(b, uint64(len(key)))
	p.fields = append(append(b, key...), value...)
	return p
}

// appendAll returns p with all pairs of another.
func (p *pairs) appendAll(more *pairs) *pairs {
	if more.count() == 0 {
		return p
	}
	p = p.grow(len(more.fields))
	p.fields = append(p.fields, more.fields...)
	p.n += more.n - 1
	return p
}

// first returns the first value of a key, or "".
func (p *pairs) first(key string) string {
	if p.count() == 0 {
		return ""
	}
	for rest := p.fields; len(rest) > 0; {
		f, after, _ := frame.ParseField(rest) // valid, and so is the pair
		if k, value, _ := splitPair(f.Bytes); string(k) == key {
			return string(value)
		}
		rest = after
	}
	return ""
}

// without removes the pairs of a key.
func (p *pairs) without(key string) {
	kept, n := p.fields[:0], 0
	for rest := p.fields; len(rest) > 0; {
		f, after, _ := frame.ParseField(rest) // valid, and so is the pair
		if k, _, _ := splitPair(f.Bytes); string(k) != key {
			kept = append(kept, rest[:len(rest)-len(after)]...)
			n++
		}
		rest = after
	}
	p.fields, p.n = kept, n
}

// grow returns p with one more pair, whose field follows. If there was none,
// the memory has at least room bytes.
func (p *pairs) grow(room int) *pairs {
	if p == nil {
		p = new(pairs)
	}
	if p.n++; p.fields == nil {
		if p.fields = p.few[:0]; room > len(p.few) {
			p.fields = make([]byte, 0, room)
		}
	}
	return p
}

// appendTo appends the fields to a block.
func (p *pairs) appendTo(dst []byte) []byte {
	if p == nil {
		return dst
	}
	return append(dst, p.fields...)
}

func varintLen(n int) int { return len(frame.AppendVarint(make([]byte, 0, 8), uint64(n))) }

// parse returns p with the pair in a field of a block, which has room bytes.
func (p *pairs) parse(field []byte, room int) (*pairs, error) {
	key, err := checkPairField(field)
	if err != nil {
		return p, err
	}
	if len(key) >= len(reservedPrefix) && string(key[:len(reservedPrefix)]) == reservedPrefix {
		return p, nil
	}
	p = p.grow(room)
	p.fields = frame.AppendBytesField(p.fields, keyMetadata, field)
	return p, nil
}

// checkPairField returns the key in a field, or what is wrong with the pair.
func checkPairField(field []byte) (key []byte, err error) {
	key, value, err := splitPair(field)
	if err == nil && (!validKey(key) || !printable(value) && !isBinary(key)) {
		err = checkPair(string(key), string(value))
	}
	return key, err
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
func (p *pairs) decode() Metadata {
	if p.count() == 0 {
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
		var k, v string
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
