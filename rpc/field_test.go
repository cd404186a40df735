package rpc_test

import (
	"bytes"
	"compress/gzip"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
)

// The fields of blocks, written by hand from section 11 of PROTOCOL.md.

func methodField(m *rpc.Method) []byte {
	return frame.AppendBytesField(nil, 1, m.Service+"/"+m.Name)
}

func uintField(key, v uint64) []byte { return frame.AppendUintField(nil, key, v) }

func bytesField(key uint64, v string) []byte { return frame.AppendBytesField(nil, key, v) }

// metadataField returns a metadata field, even if its key or value is not
// allowed.
func metadataField(key, value string) []byte {
	return frame.AppendBytesField(nil, 9, string(frame.AppendVarint(nil, uint64(len(key))))+key+value)
}

// block concatenates fields.
func block(fields ...[]byte) (b []byte) {
	for _, f := range fields {
		b = append(b, f...)
	}
	return b
}

// encoded returns a message as the default codec writes it.
func encoded(t *testing.T, s string) []byte {
	t.Helper()
	b, err := proto.Marshal(text(s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// gzipped returns a compressed message.
func gzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// pairs returns n pairs of metadata of the smallest size.
func pairs(n int) []byte { return bytes.Repeat(metadataField("k", ""), n) }

// tooManyPairs is one more than a block may have.
func tooManyPairs() []byte { return pairs(257) }
