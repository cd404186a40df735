package conformance

import (
	"slices"
	"strings"
	"testing"
)

func TestACaseIsReadForBothRolesAndEachValue(t *testing.T) {
	cases, err := parseCases("g", `
# a comment
case one
spec 1
> ping 00

case each
spec 2
role acceptor
each a:b 1:x 2:y
limit 3s
! call c1 Unary {"text":"$a $b"} timeout=2s
`)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range cases {
		names = append(names, c.Name)
	}
	if want := []string{"g/one@dialer", "g/one@acceptor", "g/each-1-x@acceptor", "g/each-2-y@acceptor"}; !slices.Equal(names, want) {
		t.Fatalf("got %q, want %q", names, want)
	}
	step := cases[3].steps[0]
	if got := step.bodies[0]; got != `{"text":"2 y"}` {
		t.Errorf("the body is %s", got)
	}
	if got, _ := step.get("timeout"); got != "2s" || cases[3].limit.Seconds() != 3 {
		t.Errorf("the timeout is %q, the limit %v", got, cases[3].limit)
	}
}

func TestAMalformedCaseIsAnErrorWithItsLine(t *testing.T) {
	for text, says := range map[string]string{
		"> ping 00":                         "before the first case",
		"case a\n> ping 00":                 "spec",
		"case a\nspec 1":                    "steps",
		"case a\nspec 1\nlimit soon":        "line 3",
		"case a\nspec 1\nfrobnicate now":    "line 3",
		"case a\nspec 1\n> data p1 {":       "open",
		"case a\nspec 1\n> data p1 text=\"": "open",
	} {
		if _, err := parseCases("g", text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v, want something of %q", text, err, says)
		}
	}
}

func TestFramesOfTheImplementationAreChecked(t *testing.T) {
	for _, c := range []struct {
		name string
		msg  []byte
		says string
	}{
		{"an empty message", nil, "L2"},
		{"a stream id that is not minimal", []byte{4, 0x81, 0, 0}, "F6"},
		{"a length of 9 bytes", []byte{4, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, "F6"},
		{"an end inside a frame", []byte{4, 1, 2, 0}, "F9"},
		{"type 0", []byte{0, 0, 0}, "F1"},
		{"type 12 that may not be skipped", []byte{12, 0, 0}, "F2"},
		{"a flag that the type does not have", []byte{0x15, 1, 0}, "F4"},
		{"a session frame with an id", []byte{9, 1, 8, 0, 0, 0, 0, 0, 0, 0, 0}, "F7"},
		{"a stream frame without an id", []byte{4, 0, 0}, "F7"},
		{"MORE with END", []byte{0x34, 1, 1, 0}, "F5"},
		{"MORE without payload", []byte{0x24, 1, 0}, "F13"},
	} {
		if _, err := parseFrames(c.msg); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want something of %q", c.name, err, c.says)
		}
	}
	if frames, err := parseFrames([]byte{0x8c, 9, 1, 0, 4, 1, 1, 'x'}); err != nil || len(frames) != 2 {
		t.Errorf("an ignorable frame before DATA: %v, %v", frames, err)
	}
}

func TestTheSenderIsHeldToItsCreditAndIds(t *testing.T) {
	data := func(n int) frame { // a piece of a message
		return frame{kind: typeData, stream: 2, flags: flagMore, payload: make([]byte, n)}
	}
	for _, c := range []struct {
		name   string
		frames []frame
		says   string
	}{
		{"the credit is used up", []frame{{kind: typeOpen, stream: 2}, data(16_352)}, ""},
		{"one byte more", []frame{{kind: typeOpen, stream: 2}, data(16_353)}, "W1"},
		{"a frame above max_frame", []frame{{kind: typeOpen, stream: 2}, data(16_385)}, "F8"},
		{"the peer's id", []frame{{kind: typeOpen, stream: 1}}, "S1"},
		{"an id that is not above", []frame{{kind: typeOpen, stream: 4}, {kind: typeOpen, stream: 2}}, "S2"},
		{"a stream that was never opened", []frame{data(1)}, "S3"},
		{"DATA behind the end", []frame{{kind: typeOpen, stream: 2, flags: flagEnd}, data(1)}, "S5"},
		{"ACK above what was sent", []frame{{kind: typeAck, payload: []byte{1}}}, "A2"},
	} {
		s := newSession(true)
		var err error
		for _, f := range c.frames {
			if err == nil {
				err = s.take(f, 1)
			}
		}
		if c.says == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want something of %q", c.name, err, c.says)
		}
	}
}
