package spec_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
)

func TestVarintVectors(t *testing.T) {
	for _, c := range load[varintCase](t, "varint") {
		v, rest, err := varint(c.Hex)
		switch {
		case c.Value == nil:
			if err == nil || err.Error() != c.Error || c.Rule == "" {
				t.Errorf("%s: %v, the vector says %q (row %q)", c.Name, err, c.Error, c.Rule)
			}
		case err != nil || len(rest) > 0 || v != *c.Value || !bytes.Equal(appendVarint(nil, v), c.Hex):
			t.Errorf("%s: read %d, %d bytes left over, error %v", c.Name, v, len(rest), err)
		}
	}
}

func TestFieldsVectors(t *testing.T) {
	for _, c := range load[fieldsCase](t, "fields") {
		fields, err := readFields(c.Hex, blockKeys{c.Known, c.Repeated})
		if c.Error != "" {
			got := fmt.Sprint(err)
			if errors.Is(err, errNonMinimal) || errors.Is(err, errTooLarge) {
				got = "varint"
			}
			if got != c.Error || c.Rule == "" {
				t.Errorf("%s: %v, the vector says %q (row %q)", c.Name, err, c.Error, c.Rule)
			}
			continue
		}
		if err != nil || !same(fields, c.Fields) || !bytes.Equal(appendFields(nil, c.Fields), c.Hex) {
			t.Errorf("%s: read %+v, %v", c.Name, fields, err)
		}
	}
}

func TestFrameVectors(t *testing.T) {
	for _, file := range []string{"frames", "messages"} {
		for _, c := range load[messageCase](t, file) {
			checkFrames(t, file+"/"+c.Name, c.Hex, c.Frames, c.From)
		}
	}
}

func TestFrameVectorsHaveEveryTypeAndFlag(t *testing.T) {
	seen := make(map[string]bool)
	for _, c := range load[messageCase](t, "frames") {
		for _, f := range c.Frames {
			seen[f.Type] = true
			for _, flag := range f.Flags {
				seen[f.Type+" "+flag] = true
			}
		}
	}
	want := []string{"OPEN END", "DATA END", "DATA MORE", "DATA MARK", "12 IGNORABLE"}
	for _, k := range kinds {
		if k.name != "" {
			want = append(want, k.name)
		}
	}
	for _, w := range want {
		if !seen[w] {
			t.Errorf("no vector with %s", w)
		}
	}
}

// checkFrames compares the frames of a valid link message with its bytes.
func checkFrames(t *testing.T, name string, message bin, want []frame, from string) {
	t.Helper()
	got, err := readMessage(message, 32768)
	if err != nil || len(got) != len(want) {
		t.Errorf("%s: %d frames of %d, %v", name, len(got), len(want), err)
		return
	}
	for i, w := range want {
		g := got[i]
		if g.Type != w.Type || !slices.Equal(g.Flags, w.Flags) || g.Stream != w.Stream || g.Sequenced != w.Sequenced ||
			g.Skipped != w.Skipped || !same(g.Head, w.Head) || !bytes.Equal(g.Payload, w.Payload) {
			t.Errorf("%s: frame %d is %+v, the vector says %+v", name, i, g, w)
		}
		if err := checkDecoded(w); err != nil {
			t.Errorf("%s: frame %d: %v", name, i, err)
		}
		if w.Type == "HELLO" && from != "" {
			if err := checkSide(w.Payload, from); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// checkDecoded compares a vector's description of a payload with the payload.
func checkDecoded(w frame) error {
	d := frame{Type: w.Type, Flags: w.Flags, Stream: w.Stream, Payload: w.Payload, Sequenced: w.Sequenced, Head: w.Head, Skipped: w.Skipped}
	var err error
	switch w.Type {
	case "DATA":
		cost := uint64(len(w.Payload)) + 32
		d.Cost = &cost
	case "HELLO":
		d.Fields, _ = readFields(w.Payload, blockKeys{})
		d.Hello, err = readNamed(w.Payload, helloKeys)
	case "GOAWAY":
		d.Fields, _ = readFields(w.Payload, blockKeys{})
		d.GoAway, err = readNamed(w.Payload, goAwayKeys)
	case "RESET":
		code, reason, _ := varint(w.Payload)
		said := text(reason)
		d.Code, d.Reason = &code, &said
	case "WINDOW":
		limit, _, _ := varint(w.Payload)
		d.Limit = &limit
	case "ACK":
		received, _, _ := varint(w.Payload)
		d.Received = &received
	}
	if err == nil && !same(d, w) {
		err = fmt.Errorf("decoded %s, the vector says %s", show(d), show(w))
	}
	return err
}

func TestMalformedVectors(t *testing.T) {
	for _, c := range load[malformedCase](t, "malformed") {
		if c.MaxFrame == 0 {
			c.MaxFrame = 16384
		}
		frames, err := readMessage(c.Hex, c.MaxFrame)
		if c.Stage == "session" && err == nil {
			err = checkSide(frames[0].Payload, c.From)
			frames = nil
		}
		code := 0
		switch {
		case errors.Is(err, errTooBig):
			code = 1009
		case errors.Is(err, errFrame):
			code = 1002
		}
		if code != c.Code || len(frames) != c.Before {
			t.Errorf("%s: closes with %d after %d frames (%v), the vector says %d after %d", c.Name, code, len(frames), err, c.Code, c.Before)
		}
		if c.Rule == "" || !slices.Contains([]string{"frame", "payload", "session"}, c.Stage) {
			t.Errorf("%s: rule %q, stage %q", c.Name, c.Rule, c.Stage)
		}
	}
}

func TestSessionVectorsReceiveWellFormedMessages(t *testing.T) {
	for _, c := range sessionCases(t) {
		for i, s := range c.Steps {
			if s.Receive == nil {
				continue
			}
			frames, err := readMessage(s.message(), 16384)
			if (err != nil) != (c.Rule == "L9" && c.Expect.Close == 1002 && i == len(c.Steps)-1) {
				t.Errorf("%s: step %d: %v", c.Name, i, err)
			}
			for _, f := range frames {
				if err := checkOpensCall(f); err != nil {
					t.Errorf("%s: step %d: stream %d: %v", c.Name, i, f.Stream, err)
				}
			}
		}
	}
}

// checkOpensCall checks the header of the peer's OPEN against section 11.1. An
// end that serves calls would refuse a malformed one because of the call.
func checkOpensCall(f frame) error {
	if f.Type != "OPEN" {
		return nil
	}
	call, err := readCall("OPEN", f.Payload)
	if err == nil && (call.Method == nil || *call.Method != "a/b") {
		err = fmt.Errorf("method %s", show(call.Method))
	}
	return err
}

// same compares two values as JSON, in which numbers of all types are equal.
func same(a, b any) bool { return show(a) == show(b) }

func show(v any) string {
	p, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	var plain any
	if err := json.Unmarshal(p, &plain); err != nil {
		return err.Error()
	}
	p, _ = json.Marshal(plain)
	return string(p)
}
