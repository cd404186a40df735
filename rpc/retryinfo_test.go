package rpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/anypb"
)

func TestRetryLaterSaysWhenToRetry(t *testing.T) {
	for after, want := range map[time.Duration]time.Duration{
		0: 0, 1: 1, time.Second: time.Second, 90*time.Minute + 7: 90*time.Minute + 7,
		math.MaxInt64: math.MaxInt64, -time.Second: 0,
	} {
		err := fmt.Errorf("the feed: %w", RetryLater(after))
		if got, ok := RetryAfter(err); !ok || got != want || CodeOf(err) != CodeUnavailable {
			t.Errorf("%v: read as %v, %t, in %v", after, got, ok, err)
		}
	}
	if got := RetryLater(2 * time.Second).Error(); got != "UNAVAILABLE: retry in 2s" {
		t.Error(got)
	}
}

func TestErrorsThatDoNotAskToRetryLater(t *testing.T) {
	detail := func(url string, value ...byte) error {
		return &Error{code: CodeUnavailable, details: []*anypb.Any{{TypeUrl: url, Value: value}}}
	}
	for name, err := range map[string]error{
		"no error":             nil,
		"no status":            errors.New("broken"),
		"a nil status":         (*Error)(nil),
		"no detail":            Errorf(CodeUnavailable, "gone"),
		"another detail":       detail("type.googleapis.com/google.rpc.DebugInfo", 0x0a, 0),
		"no type":              detail("", 0x0a, 0),
		"cut in the tag":       detail(retryInfoURL, 0x8a),
		"cut in the delay":     detail(retryInfoURL, 0x0a, 2, 8),
		"a delay of nonsense":  detail(retryInfoURL, 0x0a, 1, 8),
		"negative seconds":     detail(retryInfoURL, 0x0a, 11, 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1),
		"negative nanoseconds": detail(retryInfoURL, 0x0a, 11, 16, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1),
		"ten million years":    detail(retryInfoURL, 0x0a, 8, 8, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10),
	} {
		if got, ok := RetryAfter(err); ok {
			t.Errorf("%s: read as %v", name, got)
		}
	}
}

func TestRetryAfterReadsDetailsOfOtherServers(t *testing.T) {
	for name, c := range map[string]struct {
		want    time.Duration
		details []*anypb.Any
	}{
		"without a delay":     {0, []*anypb.Any{{TypeUrl: retryInfoURL}}},
		"under another host":  {2 * time.Second, []*anypb.Any{{TypeUrl: "example.com/google.rpc.RetryInfo", Value: []byte{0x0a, 2, 8, 2}}}},
		"with unknown fields": {time.Second, []*anypb.Any{{TypeUrl: retryInfoURL, Value: []byte{0x12, 1, 0xff, 0x08, 9, 0x0a, 2, 8, 1, 0x1d, 1, 2, 3, 4}}}},
		"in two parts":        {time.Second + 5, []*anypb.Any{{TypeUrl: retryInfoURL, Value: []byte{0x0a, 2, 8, 1, 0x0a, 2, 16, 5}}}},
		"behind others":       {3 * time.Second, []*anypb.Any{{TypeUrl: "x/y"}, {TypeUrl: retryInfoURL, Value: []byte{1}}, {TypeUrl: retryInfoURL, Value: []byte{0x0a, 2, 8, 3}}}},
	} {
		if got, ok := RetryAfter(&Error{code: CodeResourceExhausted, details: c.details}); !ok || got != c.want {
			t.Errorf("%s: read as %v, %t; want %v", name, got, ok, c.want)
		}
	}
}

// FuzzRetryInfo: every parsed delay is valid for a timer, and is parsed the
// same after it was written again.
func FuzzRetryInfo(f *testing.F) {
	for _, delay := range []time.Duration{0, 1, time.Second, math.MaxInt64} {
		f.Add(appendRetryInfo(nil, delay))
	}
	f.Add([]byte{0x12, 1, 0xff, 0x0a, 2, 8, 1})
	f.Fuzz(func(t *testing.T, p []byte) {
		delay, ok := parseRetryInfo(p)
		if delay < 0 || !ok && delay != 0 {
			t.Fatalf("%x is read as %v, %t", p, delay, ok)
		}
		if again, ok := parseRetryInfo(appendRetryInfo(nil, delay)); !ok || again != delay {
			t.Fatalf("%v is read again as %v, %t", delay, again, ok)
		}
	})
}

// TestVectorSaysRetryLater compares RetryLater with the bytes of the
// specification.
func TestVectorSaysRetryLater(t *testing.T) {
	file, err := os.ReadFile("../docs/spec/vectors/rpc.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []blockVector
	if err := json.Unmarshal(file, &vectors); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(vectors, func(v blockVector) bool { return v.Name == "end-retry-later" })
	end, err := parseEndBlock(vectors[i].Hex)
	if err != nil {
		t.Fatal(err)
	}
	if after, ok := RetryAfter(end.status); !ok || after != 2*time.Second {
		t.Errorf("read as %v, %t", after, ok)
	}
	written := endBlock{status: RetryLater(2 * time.Second)}
	if got := blockCodecs["END"].append(written); !bytes.Equal(got, vectors[i].Hex) {
		t.Errorf("written as %x", got)
	}
}
