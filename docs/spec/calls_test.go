package spec_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

// callKeys are the keys of section 11, by block.
var callKeys = map[string]blockKeys{
	"OPEN":   {known: []uint64{1, 2, 3, 4, 5, 7, 9}, repeated: []uint64{9}},
	"HEADER": {known: []uint64{5, 9}, repeated: []uint64{9}},
	"END":    {known: []uint64{1, 2, 6, 9, 11}, repeated: []uint64{9, 11}},
}

func TestCallVectors(t *testing.T) {
	for _, c := range load[rpcCase](t, "rpc") {
		call, err := readCall(c.Block, c.Hex)
		if c.Call == nil {
			outcome := "malformed"
			if errors.Is(err, errPairs) {
				outcome = "too-many-pairs"
			}
			if err == nil || c.Error != outcome || c.Rule == "" {
				t.Errorf("%s: is read as %s, %v", c.Name, show(call), err)
			}
			continue
		}
		if err != nil || !same(call, c.Call) || !bytes.Equal(appendFields(nil, c.Fields), c.Hex) {
			t.Errorf("%s: read %s, %v; the vector says %s", c.Name, show(call), err, show(c.Call))
		}
		if c.Call.Status != nil && *c.Call.Status > 16 && c.MeansStatus != 2 {
			t.Errorf("%s: a status above 16 means %d, not UNKNOWN", c.Name, c.MeansStatus)
		}
	}
}

var errPairs = errors.New("more than 256 pairs of metadata")

// readCall reads a block of a call.
func readCall(block string, p []byte) (*callBlock, error) {
	fields, err := readFields(p, callKeys[block])
	if err != nil {
		return nil, err
	}
	c := new(callBlock)
	for _, f := range fields {
		if f.Key == 9 {
			m, err := readMetadata(*f.Bytes)
			if err != nil {
				return nil, err
			}
			if c.Metadata = append(c.Metadata, m); len(c.Metadata) > 256 {
				return nil, errPairs
			}
			continue
		}
		c.set(block, f)
	}
	if block == "OPEN" && (c.Method == nil || *c.Method == "") == (c.Alias == nil || *c.Alias == 0) {
		return nil, errors.New("both or neither of method and method_alias")
	}
	return c, nil
}

func (c *callBlock) set(block string, f field) {
	type place struct {
		block string
		key   uint64
	}
	texts := map[place]**string{
		{"OPEN", 1}: &c.Method, {"OPEN", 3}: &c.Codec, {"OPEN", 5}: &c.Encoding, {"OPEN", 7}: &c.AcceptEncoding,
		{"HEADER", 5}: &c.Encoding, {"END", 1}: &c.Message,
	}
	numbers := map[place]**uint64{
		{"OPEN", 2}: &c.Alias, {"OPEN", 4}: &c.Timeout, {"END", 2}: &c.Status, {"END", 6}: &c.Alias,
	}
	at := place{block, f.Key}
	if p := texts[at]; p != nil {
		s := text(*f.Bytes)
		*p = &s
	} else if p := numbers[at]; p != nil {
		*p = f.Value
	} else if at == (place{"END", 11}) {
		c.Details = append(c.Details, *f.Bytes)
	}
}

// readMetadata reads the value of a metadata field (section 11.5).
func readMetadata(p []byte) (pair, error) {
	n, rest, err := varint(p)
	if err != nil || n == 0 || n > uint64(len(rest)) {
		return pair{}, errors.New("metadata cut short")
	}
	m := pair{Key: string(rest[:n]), Value: rest[n:]}
	if strings.Trim(m.Key, "abcdefghijklmnopqrstuvwxyz0123456789_-.") != "" {
		return pair{}, errors.New("metadata key")
	}
	unprintable := func(c byte) bool { return c < 0x20 || c > 0x7e }
	if !strings.HasSuffix(m.Key, "-bin") && slices.ContainsFunc(m.Value, unprintable) {
		return pair{}, errors.New("metadata value")
	}
	return m, nil
}
