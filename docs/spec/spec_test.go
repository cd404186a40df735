// Package spec_test proves that PROTOCOL.md, its examples and its vectors agree.
package spec_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func protocol(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// fence is a fenced block of PROTOCOL.md.
type fence struct{ info, body string }

var fences = regexp.MustCompile("(?ms)^```([^\n]*)\n(.*?)^```$")

func fencesOf(text string) []fence {
	var all []fence
	for _, m := range fences.FindAllStringSubmatch(text, -1) {
		all = append(all, fence{m[1], m[2]})
	}
	return all
}

// bytesOf returns the bytes of an annotated hex block.
func bytesOf(t *testing.T, f fence) []byte {
	t.Helper()
	var digits strings.Builder
	for line := range strings.Lines(f.body) {
		code, _, _ := strings.Cut(line, "#")
		for _, s := range strings.Fields(code) {
			digits.WriteString(s)
		}
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Errorf("%s: %v", f.info, err)
	}
	return b
}

// member returns a member of a case of the vectors: file/name or file/name#member.
func member(t *testing.T, vector, fallback string) string {
	t.Helper()
	vector, want, ok := strings.Cut(vector, "#")
	if !ok {
		want = fallback
	}
	file, name, _ := strings.Cut(vector, "/")
	data, err := os.ReadFile(filepath.Join("vectors", file+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []map[string]any
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for _, c := range cases {
		if c["name"] == name {
			s, _ := c[want].(string)
			return s
		}
	}
	t.Errorf("no vector %s", vector)
	return ""
}

func TestEveryHexExampleIsItsVector(t *testing.T) {
	examples := 0
	for _, f := range fencesOf(protocol(t)) {
		language, rest, _ := strings.Cut(f.info, " ")
		if language != "hex" {
			continue
		}
		vector, ok := strings.CutPrefix(rest, "vector=")
		if !ok {
			t.Errorf("hex block without a vector: %q", f.body)
			continue
		}
		examples++
		if got, want := hex.EncodeToString(bytesOf(t, f)), member(t, vector, "hex"); got != want {
			t.Errorf("%s:\ntext   %s\nvector %s", vector, got, want)
		}
	}
	if examples == 0 {
		t.Error("PROTOCOL.md has no hex examples")
	}
}

func TestEveryHTTPExampleWithAVectorIsIt(t *testing.T) {
	for _, f := range fencesOf(protocol(t)) {
		if vector, ok := strings.CutPrefix(f.info, "http vector="); ok {
			if got, want := strings.ReplaceAll(f.body, "\n", "\r\n"), member(t, vector, "text"); got != want {
				t.Errorf("%s:\ntext   %q\nvector %q", vector, got, want)
			}
		}
	}
}

func TestEveryFrameTypeHasAnExample(t *testing.T) {
	shown := make(map[byte]bool)
	for _, f := range fencesOf(protocol(t)) {
		if strings.HasPrefix(f.info, "hex vector=frames/") {
			shown[bytesOf(t, f)[0]&0x0f] = true
		}
	}
	for i, k := range kinds {
		if k.name != "" && !shown[byte(i)] {
			t.Errorf("no example of %s", k.name)
		}
	}
}

func TestEveryStepOfTheExchangeIsInTheText(t *testing.T) {
	text := protocol(t)
	for _, c := range load[exchangeCase](t, "exchange") {
		if !strings.Contains(text, "vector=exchange/"+c.Name+"\n") && !strings.Contains(text, "vector=exchange/"+c.Name+"#websocket\n") {
			t.Errorf("step %s is not shown", c.Name)
		}
	}
}

var rowAnchor = regexp.MustCompile(`(?m)^\| <a id="([a-z][0-9]+)"></a>([A-Z][0-9]+) \|`)

// rowsOfMalformedInput returns the numbers of section 14.
func rowsOfMalformedInput(t *testing.T) []string {
	t.Helper()
	var rows []string
	for _, m := range rowAnchor.FindAllStringSubmatch(protocol(t), -1) {
		if m[1] != strings.ToLower(m[2]) {
			t.Errorf("row %s has the anchor %q", m[2], m[1])
		}
		if slices.Contains(rows, m[2]) {
			t.Errorf("row %s is repeated", m[2])
		}
		rows = append(rows, m[2])
	}
	return rows
}

var (
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	anchor  = regexp.MustCompile(`<a id="([^"]+)">`)
	link    = regexp.MustCompile(`\]\(#([^)]+)\)`)
	dropped = regexp.MustCompile(`[^a-z0-9 -]`)
)

func TestLinksWithinTheTextLeadSomewhere(t *testing.T) {
	text := protocol(t)
	targets := make(map[string]bool)
	for _, m := range heading.FindAllStringSubmatch(fences.ReplaceAllString(text, ""), -1) {
		slug := dropped.ReplaceAllString(strings.ToLower(m[1]), "")
		targets[strings.ReplaceAll(slug, " ", "-")] = true
	}
	for _, m := range anchor.FindAllStringSubmatch(text, -1) {
		targets[m[1]] = true
	}
	for _, m := range link.FindAllStringSubmatch(text, -1) {
		if !targets[m[1]] {
			t.Errorf("link to #%s leads nowhere", m[1])
		}
	}
}

func TestExchangeIsConsistent(t *testing.T) {
	sequenced := make(map[string]uint64) // frames sent, by end
	var key string
	for _, c := range load[exchangeCase](t, "exchange") {
		peer := map[string]string{"dialer": "acceptor", "acceptor": "dialer"}[c.From]
		switch c.Kind {
		case "http":
			if _, rest, ok := strings.Cut(c.Text, "Sec-WebSocket-Key: "); ok {
				key, _, _ = strings.Cut(rest, "\r\n")
			} else if sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")); !strings.Contains(c.Text, "Sec-WebSocket-Accept: "+base64.StdEncoding.EncodeToString(sum[:])+"\r\n") {
				t.Errorf("%s does not accept the key", c.Name)
			}
			continue
		case "message":
			checkFrames(t, "exchange/"+c.Name, c.Hex, c.Frames, c.From)
		}
		opcode, payload := unwrap(t, c)
		if want := map[string]byte{"message": 2, "close": 8}[c.Kind]; opcode != want || !bytes.Equal(payload, c.Hex) {
			t.Errorf("%s: opcode %d, payload %x", c.Name, opcode, payload)
		}
		for _, f := range c.Frames {
			if f.Sequenced {
				sequenced[c.From]++
			}
			if f.Received != nil && *f.Received != sequenced[peer] {
				t.Errorf("%s acknowledges %d of %d", c.Name, *f.Received, sequenced[peer])
			}
		}
	}
}

// unwrap parses a short WebSocket frame. The frame must be whole, and masked
// exactly if the dialer sends it.
func unwrap(t *testing.T, c exchangeCase) (opcode byte, payload []byte) {
	t.Helper()
	b := c.WebSocket
	size, masked := int(b[1]&0x7f), b[1]&0x80 != 0
	if b[0]&0xf0 != 0x80 || size > 125 || masked != (c.From == "dialer") {
		t.Fatalf("%s: WebSocket header %x", c.Name, b[:2])
	}
	payload = slices.Clone(b[2:])
	if masked {
		key := b[2:6]
		payload = slices.Clone(b[6:])
		for i := range payload {
			payload[i] ^= key[i%4]
		}
	}
	if len(payload) != size {
		t.Errorf("%s: %d bytes, the header says %d", c.Name, len(payload), size)
	}
	return b[0] & 0x0f, payload
}
