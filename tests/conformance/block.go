package conformance

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// keysOf are the names that cases use for the fields of a block, with their
// keys. An even key has a number.
var keysOf = map[string]map[string]uint64{
	"hello": {
		"session": 1, "max_frame": 2, "token": 3, "max_message": 4, "agent": 5, "max_header": 6, "replaces": 7, "max_streams": 8,
		"replaces_token": 9, "initial_window": 10, "keepalive": 12, "resume_window": 14, "replay_limit": 16, "received": 18,
		"resumed": 20, "attempt": 22,
	},
	"open":   {"method": 1, "alias": 2, "codec": 3, "timeout": 4, "encoding": 5, "accept_encoding": 7},
	"header": {"encoding": 5},
	"end":    {"message": 1, "status": 2, "alias": 6, "detail": 11},
	"goaway": {"reason": 1, "last_stream": 2, "address": 3, "status": 4, "delay": 6},
}

// inHex are the fields whose values cases write in hex.
var inHex = []string{"session", "token", "replaces", "replaces_token", "detail"}

const keyMetadata = 9

// block builds a fields block from the arguments of a step. hex=... appends
// bytes as they are.
func block(kind string, l *line) (b []byte, err error) {
	for _, a := range l.args {
		if name, ok := strings.CutPrefix(a.key, "meta."); ok {
			value, err := metadataValue(name, a.value)
			if err != nil {
				return nil, err
			}
			b = appendFields(b, field{key: keyMetadata, bytes: pairBytes(name, value)})
			continue
		}
		f, known := keysOf[kind][a.key]
		switch {
		case a.key == "zeros":
			n, err := number(a.value)
			if err != nil {
				return nil, err
			}
			b = append(b, make([]byte, n)...)
		case a.key == "pairs":
			n, err := number(a.value)
			if err != nil {
				return nil, err
			}
			for range n {
				b = appendFields(b, field{key: keyMetadata, bytes: pairBytes("x-a", nil)})
			}
		case a.key == "hex":
			raw, err := hex.DecodeString(a.value)
			if err != nil {
				return nil, err
			}
			b = append(b, raw...)
		case !known:
			return nil, fmt.Errorf("%s has no field %q", kind, a.key)
		case f%2 == 0:
			n, err := number(a.value)
			if err != nil {
				return nil, err
			}
			b = appendFields(b, field{key: f, value: n})
		case slices.Contains(inHex, a.key):
			raw, err := hex.DecodeString(a.value)
			if err != nil {
				return nil, err
			}
			b = appendFields(b, field{key: f, bytes: raw})
		default:
			b = appendFields(b, field{key: f, bytes: []byte(a.value)})
		}
	}
	return b, nil
}

// metadataValue returns the bytes of a value: hex if the key ends in "-bin".
func metadataValue(key, value string) ([]byte, error) {
	if strings.HasSuffix(key, "-bin") {
		return hex.DecodeString(value)
	}
	return []byte(value), nil
}

func pairBytes(key string, value []byte) []byte {
	return append(append(appendVarint(nil, uint64(len(key))), key...), value...)
}

// parsed is a fields block of the implementation under test, by the names of
// cases.
type parsed struct {
	fields   []arg
	metadata []arg // as cases write it
}

func (p *parsed) get(name string) (string, bool) {
	for _, f := range p.fields {
		if f.key == name {
			return f.value, true
		}
	}
	return "", false
}

// parseBlock reads a block. Unknown keys are left out.
func parseBlock(kind string, b []byte) (*parsed, error) {
	fields, err := parseFields(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	p := new(parsed)
	for _, f := range fields {
		if f.key == keyMetadata && kind != "hello" && kind != "goaway" {
			pair, err := parsePair(f.bytes)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", kind, err)
			}
			p.metadata = append(p.metadata, pair)
			continue
		}
		for name, key := range keysOf[kind] {
			if key != f.key {
				continue
			}
			if _, twice := p.get(name); twice && name != "detail" {
				return nil, fmt.Errorf("%s: the key %d twice (B2)", kind, key)
			}
			p.fields = append(p.fields, arg{name, fieldText(name, f)})
		}
	}
	return p, nil
}

func fieldText(name string, f field) string {
	switch {
	case f.key%2 == 0:
		return fmt.Sprint(f.value)
	case slices.Contains(inHex, name):
		return hex.EncodeToString(f.bytes)
	}
	return string(f.bytes)
}

func parsePair(b []byte) (arg, error) {
	n, rest, err := cutVarint(b)
	if err != nil || n > uint64(len(rest)) || n == 0 {
		return arg{}, fmt.Errorf("a malformed metadata field (R3)")
	}
	key, value := string(rest[:n]), rest[n:]
	if strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789_-.") != "" {
		return arg{}, fmt.Errorf("metadata with the key %q (R3)", key)
	}
	if strings.HasSuffix(key, "-bin") {
		return arg{key, hex.EncodeToString(value)}, nil
	}
	for _, c := range value {
		if c < 0x20 || c > 0x7e {
			return arg{}, fmt.Errorf("metadata %q with the value %q (R3)", key, value)
		}
	}
	return arg{key, string(value)}, nil
}

// isPlain reports whether a block has no metadata of the tests.
func (p *parsed) isPlain() bool {
	return !slices.ContainsFunc(p.metadata, isOfTests)
}

// isOfTests reports whether cases name a pair: other pairs are the
// implementation's own.
func isOfTests(m arg) bool {
	return strings.HasPrefix(m.key, "x-") || strings.HasPrefix(m.key, "parley-")
}

// matches compares a block with the arguments of a step: each named field must
// have its value, and a field of 0 or without text may be absent. Metadata
// whose key begins with "x-" or "parley-" must be exactly what is named.
func (p *parsed) matches(l *line) error {
	var want []arg
	for _, a := range l.args {
		if name, ok := strings.CutPrefix(a.key, "meta."); ok {
			want = append(want, arg{name, a.value})
			continue
		}
		got, there := p.get(strings.TrimRight(a.key, "<>!"))
		if err := compare(a, got); err != nil {
			if !there {
				return fmt.Errorf("%s is absent, want %s", a.key, a.value)
			}
			return err
		}
	}
	var got []arg
	for _, m := range p.metadata {
		if isOfTests(m) {
			got = append(got, m)
		}
	}
	byKey := func(a, b arg) int { return strings.Compare(a.key, b.key) }
	slices.SortStableFunc(got, byKey)
	slices.SortStableFunc(want, byKey)
	if !slices.Equal(got, want) {
		return fmt.Errorf("the metadata is %v, want %v", got, want)
	}
	return nil
}

// compare checks a value against key=value, key<=value, key>=value, or
// key=*, which is any value that is not empty, or key!=value, a value that must
// not occur in it.
func compare(want arg, got string) error {
	bound := want.key[len(want.key)-1]
	if bound == '<' || bound == '>' {
		n, err := number(want.value)
		if err != nil {
			return err
		}
		m, err := number("0" + got)
		if err != nil || bound == '<' && m > n || bound == '>' && m < n {
			return fmt.Errorf("%s is %q, want %s=%s", want.key[:len(want.key)-1], got, want.key, want.value)
		}
		return nil
	}
	value := want.value
	if bound == '!' {
		if strings.Contains(got, value) {
			return fmt.Errorf("%s is %q, and must not contain %q", want.key[:len(want.key)-1], got, value)
		}
		return nil
	}
	switch {
	case value == "*" && got != "":
		return nil
	case value == "max":
		value = fmt.Sprint(maxVarint)
	}
	empty := func(s string) bool { return s == "" || s == "0" }
	if got == value || empty(got) && empty(value) {
		return nil
	}
	return fmt.Errorf("%s is %q, want %q", want.key, got, want.value)
}
