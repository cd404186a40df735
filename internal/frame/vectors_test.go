package frame_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/parley-rpc/parley/internal/frame"
)

// The schema of the vectors is docs/spec/vectors/README.md.

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

type fieldVector struct {
	Key   uint64
	Value *uint64
	Bytes *hexBytes
}

func (v fieldVector) append(dst []byte) []byte {
	if v.Value != nil {
		return frame.AppendUintField(dst, v.Key, *v.Value)
	}
	return frame.AppendBytesField(dst, v.Key, *v.Bytes)
}

type frameVector struct {
	Type      string
	Flags     []string
	Stream    uint64
	Payload   hexBytes
	Sequenced bool
	Fields    []fieldVector
	Hello     *struct {
		MaxFrame      uint64 `json:"max_frame"`
		MaxMessage    uint64 `json:"max_message"`
		MaxHeader     uint64 `json:"max_header"`
		MaxStreams    uint64 `json:"max_streams"`
		InitialWindow uint64 `json:"initial_window"`
		Keepalive     uint64
		ResumeWindow  uint64 `json:"resume_window"`
		ReplayLimit   uint64 `json:"replay_limit"`
		Received      uint64
		Attempt       uint64
		Resumed       *uint64
		Session       hexBytes
		Token         hexBytes
		Agent         string
	}
	GoAway *struct {
		LastStream uint64 `json:"last_stream"`
		Status     uint64
		Delay      uint64
		Reason     string
		Address    string
	}
	Code     uint64
	Reason   string
	Limit    uint64
	Received uint64
	Head     byte
	Skipped  bool
}

// load reads a file of vectors.
func load[T any](t *testing.T, name string) []T {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "spec", "vectors", name))
	if err != nil {
		t.Fatal(err)
	}
	var cases []T
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(cases) == 0 {
		t.Fatalf("%s has no cases", name)
	}
	return cases
}

func TestVarintVectors(t *testing.T) {
	type vector struct {
		Name  string
		Hex   hexBytes
		Value uint64
		Error string
	}
	for _, c := range load[vector](t, "varint.json") {
		v, n, err := frame.ParseVarint(c.Hex)
		switch c.Error {
		case "":
			if err != nil || v != c.Value || n != len(c.Hex) {
				t.Errorf("%s: got %d of %d bytes, %v", c.Name, v, n, err)
			}
			if got := frame.AppendVarint(nil, c.Value); !bytes.Equal(got, c.Hex) {
				t.Errorf("%s: encoded as %x", c.Name, got)
			}
		case "truncated":
			if !errors.Is(err, frame.ErrIncomplete) {
				t.Errorf("%s: got %v", c.Name, err)
			}
		default:
			if !errors.Is(err, frame.ErrVarint) {
				t.Errorf("%s: got %v", c.Name, err)
			}
		}
	}
}

func TestFieldsVectors(t *testing.T) {
	type vector struct {
		Name            string
		Hex             hexBytes
		Fields          []fieldVector
		Known, Repeated []uint64
		Error           string
	}
	wants := map[string]error{
		"key-zero": frame.ErrField, "duplicate": frame.ErrField,
		"truncated": frame.ErrPayload, "varint": frame.ErrVarint,
	}
	for _, c := range load[vector](t, "fields.json") {
		var got []byte
		var once frame.Once
		var err error
		for rest := []byte(c.Hex); len(rest) > 0 && err == nil; {
			var f frame.Field
			if f, rest, err = frame.ParseField(rest); err != nil {
				break
			}
			single := slices.Contains(c.Known, f.Key) && !slices.Contains(c.Repeated, f.Key)
			if single && !once.First(f.Key) {
				err = frame.ErrField
			}
			if f.Key%2 == 0 {
				got = frame.AppendUintField(got, f.Key, f.Uint)
			} else {
				got = frame.AppendBytesField(got, f.Key, f.Bytes)
			}
		}
		if !errors.Is(err, wants[c.Error]) {
			t.Errorf("%s: got %v, want %v", c.Name, err, wants[c.Error])
			continue
		}
		var want []byte
		for _, f := range c.Fields {
			want = f.append(want)
		}
		if err == nil && (!bytes.Equal(got, c.Hex) || !bytes.Equal(want, c.Hex)) {
			t.Errorf("%s: decoded to %x, the vector's fields encode to %x", c.Name, got, want)
		}
	}
}

type messageVector struct {
	Name   string
	Hex    hexBytes
	Frames []frameVector
}

func TestFrameVectors(t *testing.T) {
	for _, file := range []string{"frames.json", "messages.json"} {
		for _, c := range load[messageVector](t, file) {
			t.Run(c.Name, func(t *testing.T) {
				rest := []byte(c.Hex)
				for _, want := range c.Frames {
					rest = checkFrame(t, want, rest)
				}
				if len(rest) > 0 {
					t.Errorf("%d bytes are left over", len(rest))
				}
			})
		}
	}
}

// checkFrame compares the frame at the start of b with its vector, and the
// vector's encoding with b. It returns what follows.
func checkFrame(t *testing.T, want frameVector, b []byte) []byte {
	t.Helper()
	h, n, err := frame.ParseHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	whole, rest := b[:n+int(h.Length)], b[n+int(h.Length):]
	p := whole[n:]
	if !bytes.Equal(p, want.Payload) {
		t.Errorf("payload %x, want %x", p, want.Payload)
	}
	if want.Skipped {
		if h.Type.Known() || whole[0] != want.Head {
			t.Errorf("%v is not skipped", h.Type)
		}
		return rest
	}
	if h.Type.String() != want.Type || h.Stream != want.Stream || h.Type.Sequenced() != want.Sequenced {
		t.Errorf("got %v of stream %d, sequenced %v", h.Type, h.Stream, h.Type.Sequenced())
	}
	if !slices.Equal(flagNames(h.Flags), want.Flags) {
		t.Errorf("flags %v, want %v", flagNames(h.Flags), want.Flags)
	}
	if got := encode(t, h, want, p); !bytes.Equal(got, whole) {
		t.Errorf("encoded as %x, want %x", got, whole)
	}
	return rest
}

func flagNames(f frame.Flags) []string {
	names := []string{}
	for i, name := range []string{"END", "MORE", "MARK", "IGNORABLE"} {
		if f&(frame.FlagEnd<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// encode decodes the payload, compares it with the vector, and encodes it
// again.
func encode(t *testing.T, h frame.Header, want frameVector, p []byte) []byte {
	t.Helper()
	var err error
	var out []byte
	switch h.Type {
	case frame.TypeHello:
		err = checkHello(t, want, p)
		var fields []byte
		for _, f := range want.Fields {
			fields = f.append(fields)
		}
		out = frame.Append(nil, h, fields)
	case frame.TypeGoAway:
		var g frame.GoAway
		g, err = frame.ParseGoAway(p)
		w := want.GoAway
		if g != (frame.GoAway{LastStream: w.LastStream, Status: w.Status, Delay: w.Delay, Reason: w.Reason, Address: w.Address}) {
			t.Errorf("got %+v, want %+v", g, *w)
		}
		var fields []byte
		for _, f := range want.Fields {
			fields = f.append(fields)
		}
		out = frame.Append(nil, h, fields)
	case frame.TypeReset:
		var code uint64
		var reason string
		code, reason, err = frame.ParseReset(p)
		if code != want.Code || reason != want.Reason {
			t.Errorf("got code %d, %q", code, reason)
		}
		if out = frame.Append(nil, h, p); reason == frame.Text([]byte(want.Reason)) && !bytes.ContainsRune([]byte(reason), '\uFFFD') {
			out = frame.AppendReset(nil, h.Stream, code, reason)
		}
	case frame.TypeWindow:
		var limit uint64
		if limit, err = frame.ParseWindow(p); limit != want.Limit {
			t.Errorf("limit %d, want %d", limit, want.Limit)
		}
		out = frame.AppendWindow(nil, h.Stream, limit)
	case frame.TypeAck:
		var received uint64
		if received, err = frame.ParseAck(p); received != want.Received {
			t.Errorf("received %d, want %d", received, want.Received)
		}
		out = frame.AppendAck(nil, received)
	case frame.TypePing, frame.TypePong:
		var opaque [frame.PingLen]byte
		opaque, err = frame.ParsePing(p)
		out = frame.Append(nil, h, opaque[:])
	default:
		out = frame.Append(nil, h, p)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func checkHello(t *testing.T, want frameVector, p []byte) error {
	t.Helper()
	got, err := frame.ParseHello(p)
	if err != nil {
		return err
	}
	w, d := want.Hello, frame.HelloDefaults
	or := func(v, preset uint64) uint64 {
		if v == 0 {
			return preset
		}
		return v
	}
	settings := [][2]uint64{
		{got.MaxFrame, or(w.MaxFrame, d.MaxFrame)}, {got.MaxMessage, or(w.MaxMessage, d.MaxMessage)},
		{got.MaxHeader, or(w.MaxHeader, d.MaxHeader)}, {got.MaxStreams, or(w.MaxStreams, d.MaxStreams)},
		{got.InitialWindow, or(w.InitialWindow, d.InitialWindow)}, {got.Keepalive, or(w.Keepalive, d.Keepalive)},
		{got.ResumeWindow, w.ResumeWindow}, {got.ReplayLimit, or(w.ReplayLimit, d.ReplayLimit)}, {got.Received, w.Received},
		{got.Attempt, w.Attempt},
	}
	for i, s := range settings {
		if s[0] != s[1] {
			t.Errorf("setting %d is %d, want %d", i, s[0], s[1])
		}
	}
	answer := frame.NoAnswer
	if w.Resumed != nil {
		answer = frame.SessionUnknown + frame.Answer(*w.Resumed)
	}
	if got.Answer != answer || got.Agent != w.Agent || !bytes.Equal(got.Session, w.Session) || !bytes.Equal(got.Token, w.Token) {
		t.Errorf("got %+v, want %+v", got, *w)
	}
	// This package's own encoding is parsed to the same values.
	h, n, err := frame.ParseHeader(got.Append(nil))
	if err != nil {
		return err
	}
	again, err := frame.ParseHello(got.Append(nil)[n : n+int(h.Length)])
	if again.Agent != got.Agent || again.MaxFrame != got.MaxFrame || again.Answer != got.Answer || !bytes.Equal(again.Token, got.Token) {
		t.Errorf("written and read back: %+v, want %+v", again, got)
	}
	return err
}

func TestMalformedVectorsAreRefused(t *testing.T) {
	type vector struct {
		Name     string
		Hex      hexBytes
		Code     int
		Stage    string
		MaxFrame uint64 `json:"max_frame"`
		Before   int
	}
	for _, c := range load[vector](t, "malformed.json") {
		if c.Stage == "session" {
			continue // package transport runs these
		}
		limit := c.MaxFrame
		if limit == 0 {
			limit = frame.HelloDefaults.MaxFrame
		}
		frames, code := refusal(c.Hex, limit)
		if code != c.Code || frames != c.Before {
			t.Errorf("%s: closes with %d after %d frames, want %d after %d", c.Name, code, frames, c.Code, c.Before)
		}
	}
}

// refusal reads a message as a receiver does. It returns how many frames take
// effect, and the close code or 0.
func refusal(b []byte, maxFrame uint64) (frames, code int) {
	if len(b) == 0 {
		return 0, 1002
	}
	for ; len(b) > 0; frames++ {
		h, n, err := frame.ParseHeader(b)
		switch {
		case err != nil:
			return frames, 1002
		case h.Length > maxFrame:
			return frames, 1009
		case h.Length > uint64(len(b)-n):
			return frames, 1002
		}
		p := b[n : n+int(h.Length)]
		b = b[n+int(h.Length):]
		switch h.Type {
		case frame.TypeHello:
			_, err = frame.ParseHello(p)
		case frame.TypeGoAway:
			_, err = frame.ParseGoAway(p)
		case frame.TypeReset:
			_, _, err = frame.ParseReset(p)
		case frame.TypeWindow:
			_, err = frame.ParseWindow(p)
		case frame.TypeAck:
			_, err = frame.ParseAck(p)
		case frame.TypePing, frame.TypePong:
			_, err = frame.ParsePing(p)
		}
		if err != nil {
			return frames, 1002
		}
	}
	return frames, 0
}
