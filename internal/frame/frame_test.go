package frame_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/parley-rpc/parley/internal/frame"
)

func TestCutTextCutsBetweenCharacters(t *testing.T) {
	s := strings.Repeat("ä", 600) // 1200 bytes
	for limit := range 10 {
		cut := frame.CutText(s, limit)
		if len(cut) > limit || len(cut) < limit-1 || !utf8.ValidString(cut) {
			t.Errorf("cut to %d bytes: %q", limit, cut)
		}
	}
	if frame.CutText("short", 10) != "short" {
		t.Error("a short text is cut")
	}
}

func TestWayOfAMessageDoesNotAllocate(t *testing.T) {
	buf := make([]byte, 0, 256)
	payload := bytes.Repeat([]byte("x"), 100)
	allocs := testing.AllocsPerRun(100, func() {
		b := frame.Append(buf, frame.Header{Type: frame.TypeData, Flags: frame.FlagEnd, Stream: 12345}, payload)
		b = frame.AppendWindow(b, 12345, 1<<30)
		b = frame.AppendAck(b, 1<<20)
		for len(b) > 0 {
			h, n, err := frame.ParseHeader(b)
			if err != nil {
				t.Fatal(err)
			}
			b = b[n+int(h.Length):]
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func BenchmarkAppend(b *testing.B) {
	buf := make([]byte, 0, 256)
	payload := bytes.Repeat([]byte("x"), 100)
	b.ReportAllocs()
	for b.Loop() {
		buf = frame.Append(buf[:0], frame.Header{Type: frame.TypeData, Stream: 12345}, payload)
	}
}

func BenchmarkParseHeader(b *testing.B) {
	buf := frame.Append(nil, frame.Header{Type: frame.TypeData, Stream: 12345}, make([]byte, 100))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := frame.ParseHeader(buf); err != nil {
			b.Fatal(err)
		}
	}
}
