package cluster

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/rpc"
)

func FuzzParsePosition(f *testing.F) {
	id := NodeID{1, 2, 3, 4, 5, 6, 7, 8}
	for _, seed := range []Position{
		"", Oldest, "e-", "h-", "h-1z", "h--1", "h-+1", "x-1", Position(strings.Repeat("h", 65)),
		ephemeralPosition(id, 1, 2), ephemeralPosition(id, 1<<64-1, 1<<64-1), historyPosition(1<<64 - 1),
	} {
		f.Add(string(seed))
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePosition(Position(text))
		if err != nil {
			if !errors.Is(err, rpc.CodeInvalidArgument) || len(err.Error()) > 500 {
				t.Errorf("error %v", err)
			}
			return
		}
		var again Position
		switch p.kind {
		case positionNow, positionOldest:
			return
		case positionEphemeral:
			again = ephemeralPosition(p.node, p.series, p.number)
		case positionHistory:
			again = historyPosition(p.number)
		default:
			t.Fatalf("kind %q", p.kind)
		}
		if len(again) > maxPosition {
			t.Errorf("%q has %d bytes", again, len(again))
		}
		if q, err := parsePosition(again); err != nil || q != p {
			t.Errorf("%q became %+v, then %q, then %+v, error %v", text, p, again, q, err)
		}
	})
}

func FuzzParseTopicHeader(f *testing.F) {
	for _, h := range []topicHeader{
		{kind: topicMessage, number: 1},
		{kind: topicMessage, node: NodeID{1, 2}, series: 1<<64 - 1, number: 1<<64 - 1, age: 1<<63 - 1},
		{kind: topicLast, series: 3, number: 300, age: time.Hour},
	} {
		f.Add(h.append(nil))
		f.Add(h.append(nil)[:10])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, rest, err := parseTopicHeader(b)
		if err != nil {
			return
		}
		if h.number == 0 || h.age < 0 || len(rest) > len(b)-12 || !bytes.HasSuffix(b, rest) {
			t.Fatalf("%+v, and %d of %d bytes", h, len(rest), len(b))
		}
		again, none, err := parseTopicHeader(h.append(nil))
		if err != nil || again != h || len(none) > 0 {
			t.Errorf("%+v became %+v, error %v", h, again, err)
		}
	})
}

// TestMalformedPositionSaysSo is beside the parser that it is about.
func TestMalformedPositionSaysSo(t *testing.T) {
	for _, p := range []Position{"x", "e", "h", "h-", "h-?", "e-00-1-1", "e-0011223344556677-1", "e-001122334455667z-1-1", "h-" + Position(strings.Repeat("0", 63))} {
		_, err := parsePosition(p)
		if !errors.Is(err, rpc.CodeInvalidArgument) || !strings.Contains(err.Error(), "is malformed") {
			t.Errorf("%q: %v", p, err)
		}
	}
}
